"""`python -m tools.predict` on real photographs, videos and mistakes."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from facial_expression.core.errors import run
from facial_expression.inference.detection import Detector
from facial_expression.inference.pipeline import Result
from facial_expression.inference.sources import Source
from facial_expression.pictures.images import decode, square
from tests.clones import ROOT, environment
from tests.helpers import make_video, picture
from tests.networks import CLASSES, expected, tiny_network
from tools.predict import __main__ as predict
from tools.predict.output import progress

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
FACE = (183, 120, 170, 212)  # left, top, width, height, roughly

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    return tiny_network(tmp_path_factory.mktemp("network") / "tiny.onnx")


@pytest.fixture
def album(tmp_path, monkeypatch) -> Path:
    """A photograph of a face, one without and a truncated file, in a folder of the current one."""
    folder = tmp_path / "album"
    folder.mkdir()
    shutil.copyfile(PHOTOGRAPH, folder / "face.jpg")
    (folder / "torn.jpg").write_bytes(PHOTOGRAPH.read_bytes()[:20_000])
    (folder / "wall.png").write_bytes(picture(1, side=200, kind="PNG"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def clip(album) -> Path:
    """Six frames: nobody on the first three, then a face."""
    face = np.asarray(Image.open(PHOTOGRAPH))
    frames = [np.full_like(face, 90) if number < 3 else face for number in range(6)]
    return make_video(album / "clip.avi", frames)


@pytest.fixture
def call(network, capfd) -> Call:
    """Run the tool in this process -> exit code, standard output, standard error."""

    def called(*argv: object) -> tuple[int, str, str]:
        capfd.readouterr()
        model = [] if "--model" in argv else ["--model", str(network)]
        try:
            run(lambda: predict.main([*map(str, argv), *model]))
        except SystemExit as end:
            out, err = capfd.readouterr()
            return (1, out, err + end.code) if isinstance(end.code, str) else (end.code, out, err)
        return 0, *capfd.readouterr()

    return called


def objects(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def near_face(box: dict[str, float]) -> bool:
    found = (box["left"], box["top"], box["width"], box["height"])
    return bool(np.abs(np.subtract(found, FACE)).max() < 25)


# Inputs and what comes out


def test_a_folder_gives_faces_no_face_and_an_error(album, call):
    code, out, err = call("album", "--format", "jsonl")
    face, torn, wall = objects(out)
    assert code == 1
    assert [each["path"] for each in (face, torn, wall)] == [
        "album/face.jpg", "album/torn.jpg", "album/wall.png"
    ]  # fmt: skip
    assert len(face["faces"]) == 1
    assert near_face(face["faces"][0]["box"])
    assert sum(face["faces"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert list(face["faces"][0]["probabilities"]) == list(CLASSES)
    assert wall["faces"] == []
    assert "faces" not in torn
    assert "truncated" in torn["error"]
    skipped, summary = err.splitlines()
    assert skipped.startswith("skipped album/torn.jpg: ")
    assert summary == "pictures 3 (without a face 1, skipped 1), faces 1"


def test_the_table_is_the_default_and_quiet_reports_nothing(album, call):
    code, out, err = call("album/*a*l*.png", "album/face.jpg", "album/face.jpg", "--quiet")
    header, row, same = out.splitlines()
    assert (code, err) == (0, "")
    assert header.split()[0] == "label"
    assert row == same
    assert row.split()[0] in CLASSES
    assert row.endswith("album/face.jpg")


def test_cropped_faces_are_read_as_for_training(album, call):
    names = [f"crops/{seed}.{kind}" for seed, kind in enumerate(["png", "jpeg", "bmp"])]
    Path("crops").mkdir()
    for seed, name in enumerate(names):
        Path(name).write_bytes(picture(seed, kind=Path(name).suffix[1:].upper()))
    _, out, _ = call("crops", "--no-detect", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    images = np.stack([square(decode(Path(name).read_bytes()), 48) for name in names])
    assert [row["path"] for row in rows] == names
    found = [[float(row[name]) for name in CLASSES] for row in rows]
    np.testing.assert_allclose(found, expected(images), atol=2e-6)
    assert {(row["left"], row["width"]) for row in rows} == {("0.000000", "48.000000")}


def test_standard_input_is_a_picture(album, call, monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO(PHOTOGRAPH.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    _, out, _ = call("-", "--format", "jsonl")
    (result,) = objects(out)
    assert result["path"] == "-"
    assert near_face(result["faces"][0]["box"])
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input is closed" in call("-")[2]


def test_boxes_are_pixels_of_the_upright_picture(album, call):
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn it by 90 degrees clockwise
    lying = Image.open(PHOTOGRAPH).transpose(Image.Transpose.ROTATE_90)
    lying.save(album / "phone.jpg", exif=exif, quality=95)
    (result,) = objects(call("album/phone.jpg", "--format", "jsonl")[1])
    assert (result["width"], result["height"]) == (512, 600)
    assert near_face(result["faces"][0]["box"])


def test_frames_of_a_video_have_a_number(clip, call):
    _, out, _ = call("album/clip.avi", "--every", "2", "--format", "jsonl")
    assert [(each["frame"], each["seconds"], len(each["faces"])) for each in objects(out)] == [
        (0, 0, 0), (2, 0.2, 0), (4, 0.4, 1)
    ]  # fmt: skip
    _, out, _ = call("album/clip.avi", "--frames", "4", "--format", "csv")
    found = [(row["frame"], row["seconds"]) for row in csv.DictReader(io.StringIO(out))]
    assert found == [("3", "0.300000")]


def test_a_webcam_is_read_until_ctrl_c(album, call, monkeypatch):
    def frames(index: int, every: int, limit: int | None) -> Iterator[Source]:
        for number in range(3):
            yield Source(f"camera:{index}", number, lambda: decode(PHOTOGRAPH.read_bytes()))
        raise KeyboardInterrupt

    monkeypatch.setattr("facial_expression.inference.video.camera", frames)
    code, _, err = call("--camera", "1", "--format", "csv", "--out", "faces.csv")
    with Path("faces.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert (code, "Traceback" in err) == (0, False)
    assert [(row["path"], row["frame"]) for row in rows] == [("camera:1", str(n)) for n in range(3)]


def test_a_folder_without_pictures_is_named_and_other_files_are_counted(album, call):
    Path("empty").mkdir()
    (album / "notes.txt").write_text("no picture")
    code, out, err = call("empty", "album", "album/*.png", "--format", "jsonl")
    assert code == 1
    assert [each["path"] for each in objects(out)][:1] == ["album/face.jpg"]
    empty, passed_over, _, summary = err.splitlines()
    assert empty == "no pictures in empty"
    assert passed_over == "1 file passed over: 1 not a picture, e.g. album/notes.txt"
    assert summary.endswith("faces 1, folders without pictures 1")


def test_the_notice_is_for_people_who_read_faces_in_a_terminal(album, call, monkeypatch):
    assert "emotions" not in call("album/face.jpg")[2]
    monkeypatch.setattr("tools.predict.output.progress", lambda results, *_: results)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: True)
    (_, notice) = call("album/face.jpg")[2].splitlines()
    assert notice.startswith("Apparent expressions, not emotions; accuracy ")
    assert "emotions" not in call("album/wall.png")[2], "no face"
    assert call("album/face.jpg", "--quiet")[2] == ""


@pytest.mark.parametrize(
    ("out", "terminals", "shown"),
    [
        ("faces.csv", ["stderr", "stdout"], True),
        (None, ["stderr"], True),  # standard output is a pipe
        (None, ["stderr", "stdout"], False),
        ("faces.csv", [], False),
    ],
)
def test_a_progress_bar_needs_a_terminal_that_shows_nothing_else(
    out, terminals, shown, monkeypatch
):
    for name in ("stderr", "stdout"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda name=name: name in terminals)
    results: Iterator[Result] = iter([])
    assert (progress(results, 3, out and Path(out)) is not results) == shown


# Files that are written


def test_drawings_are_numbered_and_never_inputs(clip, call):
    drawing = ["album/../album/face.jpg", clip, "--every", "3", "--draw", "album/drawn"]
    assert "created the folder album/drawn" in call("album", *drawing)[2].splitlines()
    assert sorted(path.name for path in (clip.parent / "drawn").iterdir()) == [
        "000001-face.jpg",
        "000003-wall.jpg",
        "000004-face.jpg",
        "000005-clip-frame-000000.jpg",
        "000006-clip-frame-000003.jpg",
    ]
    with Image.open("album/drawn/000004-face.jpg") as drawn:
        changed = np.abs(np.asarray(drawn).astype(int) - np.asarray(Image.open(PHOTOGRAPH)))
    changed = changed.max(axis=2) > 60
    left, top, width, height = FACE
    inner = changed[top + 30 : top + height - 30, left + 30 : left + width - 30]
    assert inner.mean() < 0.01 < changed.mean() < 0.1
    _, out, _ = call("album", "--draw", "album/drawn", "--format", "csv")
    assert "drawn" not in out


def test_any_number_of_threads_writes_the_same_bytes(clip, call):
    runs = []
    for threads in (1, 2, 2):
        out, drawn = Path(f"{len(runs)}.csv"), Path(f"drawn-{len(runs)}")
        call("album", clip, "--format", "csv", "--out", out, "--draw", drawn, "--threads", threads)
        runs.append([out.read_bytes(), *(path.read_bytes() for path in sorted(drawn.iterdir()))])
    assert len(runs[0]) == 9
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["album", "--out", "album/face.jpg"], "expected a new file, found one of the inputs"),
        (["album", "--model", "model.onnx", "--out", "model.onnx"], "expected a new file"),
        (["album", "--draw", "album"], "expected a folder other than the inputs"),
        (["album/face.jpg", "--draw", "album"], "expected a folder without inputs, found album/f"),
        (["album", "--draw", "drawn", "--out", "drawn/faces.csv"], "outside the folder of --draw"),
        (["album", "--out", "album/face.jpg/below"], "cannot write there"),
    ],
)
def test_inputs_are_never_replaced_and_bad_places_are_refused(album, call, network, argv, reason):
    shutil.copyfile(network, "model.onnx")
    before = [Path("model.onnx").read_bytes(), PHOTOGRAPH.read_bytes()]
    code, _, err = call(*argv)
    assert code == 1
    assert reason in err.splitlines()[-1]
    assert [Path("model.onnx").read_bytes(), (album / "face.jpg").read_bytes()] == before


def test_an_output_file_is_whole_or_absent(album, call, monkeypatch):
    def interrupted(self: Detector, rgb: Image.Image) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Detector, "find", interrupted)
    assert call("album", "--out", "faces.csv")[0] == 130
    assert [path.name for path in Path().iterdir()] == ["album"]


# Mistakes


@pytest.mark.parametrize(
    ("argv", "code", "reason"),
    [
        (["album", "--model", "none.onnx"], 1, "dvc pull"),
        (["album", "--model", "album/face.jpg"], 1, "expected an ONNX model"),
        (["https://example.org/a.jpg"], 1, "download it first"),
        ([], 2, "expected either PATH... or --camera"),
        (["album", "--camera"], 2, "expected either PATH... or --camera"),
        (["album", "--min-score", "2"], 2, "expected a number from 0 to 1, found 2"),
        (["album", "--out", "album"], 2, "expected a file, found the folder album"),
    ],
)
def test_a_mistake_is_one_line(album, call, argv, code, reason):
    found, _, err = call(*argv)
    assert found == code
    last = err.splitlines()[-1]
    assert "error: " in last
    assert reason in last


# The process


@pytest.mark.skipif(os.name == "nt", reason="Windows interrupts otherwise")
def test_an_interruption_keeps_the_lines_already_written(album, network):
    broken, pipe = album / "broken.mp4", album / "later.png"
    broken.write_bytes(b"\0\0\0\x08free" + bytes(99))
    os.mkfifo(pipe)  # nobody writes to it: the tool waits
    paths = [str(broken), *[str(album / "face.jpg")] * 70, str(pipe)]
    arguments = [*paths, "--threads", "1", "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-m", "tools.predict", *arguments, "--model", str(network)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(64)]  # header and a batch
        process.send_signal(signal.SIGINT)
        try:
            rest, err = process.communicate(timeout=60)
        finally:
            process.kill()  # or the end of the block would wait for ever
    assert process.returncode == 130
    assert err.decode().splitlines() == [
        f"skipped {broken}: not a video that can be decoded", "interrupted"
    ]  # fmt: skip
    assert lines[1:] == [lines[1]] * 63
    assert lines[1].endswith(b"face.jpg\n")
    assert rest == b"", "no half line"


def test_a_reader_that_stops_reading_is_not_an_error(album, network):
    done = subprocess.run(
        f"{sys.executable} -m tools.predict {' '.join([str(album / 'wall.png')] * 200)} --quiet "
        f"--no-detect --format jsonl --model {network} | head -n 1",
        shell=True, cwd=ROOT, env=environment(), capture_output=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == b""
