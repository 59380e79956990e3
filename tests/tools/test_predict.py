from __future__ import annotations

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

import cv2
import matplotlib
import numpy as np
import pytest
from PIL import Image

from facial_expression.core.errors import ModelError, ParameterError, SourceError
from facial_expression.inference.sources import Source
from facial_expression.pictures.images import decode, square
from tests.clones import ROOT, environment
from tests.helpers import picture
from tests.networks import CLASSES, expected, tiny_network
from tools.predict import __main__ as predict

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
FACE = (183, 120, 170, 212)  # left, top, width, height, roughly

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_network(tmp_path_factory.mktemp("network") / "tiny.onnx")


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a photograph of a face, one without and a torn file in `album`."""
    folder = tmp_path / "album"
    folder.mkdir()
    shutil.copyfile(PHOTOGRAPH, folder / "face.jpg")
    (folder / "torn.jpg").write_bytes(PHOTOGRAPH.read_bytes()[:20_000])
    (folder / "wall.png").write_bytes(picture(1, side=200, kind="PNG"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def call(network: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """The tool in this process -> exit code, both streams."""

    def run(*argv: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            predict.main([*map(str, argv), "--model", str(network)])
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


def command(*argv: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """The tool in a process of its own."""
    arguments = [sys.executable, "-m", "tools.predict", *map(str, argv)]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        arguments, cwd=ROOT, env=environment(), capture_output=True, check=False, **options
    )


def objects(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def near_face(box: dict[str, float]) -> bool:
    found = (box["left"], box["top"], box["width"], box["height"])
    return bool(np.abs(np.subtract(found, FACE)).max() < 25)


def test_a_folder_gives_faces_none_and_what_could_not_be_read(album: Path, call: Call) -> None:
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
    about, skipped, summary = err.splitlines()
    assert "apparent expressions as labelled by strangers" in about
    assert "For tests alone." in about
    assert skipped.startswith("skipped album/torn.jpg: ")
    assert summary == "pictures 3 (without a face 1, skipped 1), faces 1"


def test_without_a_mistake_the_exit_code_is_0(album: Path, call: Call) -> None:
    code, out, _ = call("album/*a*l*.png", "album/face.jpg", "album/face.jpg", "--format", "csv")
    first, second = csv.DictReader(io.StringIO(out))
    assert code == 0
    assert first == second
    assert first["label"] in CLASSES


def test_quiet_says_only_what_was_skipped(album: Path, call: Call) -> None:
    _, _, err = call("album", "--quiet")
    assert len(err.splitlines()) == 1
    assert err.startswith("skipped")


def test_the_table_is_the_default(album: Path, call: Call) -> None:
    _, out, _ = call("album/face.jpg")
    head, row = out.splitlines()
    assert head.split() == [
        "label", *CLASSES, "entropy", "left", "top", "width", "height", "frame", "path"
    ]  # fmt: skip
    assert row.endswith("album/face.jpg")


def test_ready_crops_are_read_as_for_training(album: Path, call: Call) -> None:
    names = [f"crops/{seed}.{kind.lower()}" for seed, kind in enumerate(["PNG", "JPEG", "BMP"])]
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


def test_standard_input_is_a_picture(album: Path, network: Path) -> None:
    done = command("-", "--model", network, "--format", "jsonl", input=PHOTOGRAPH.read_bytes())
    (seen,) = objects(done.stdout.decode())
    assert done.returncode == 0, done.stderr
    assert seen["path"] == "-"
    assert near_face(seen["faces"][0]["box"])


def as_exif(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.open(PHOTOGRAPH).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)


def as_grey_alpha(path: Path) -> None:
    grey = Image.open(PHOTOGRAPH).convert("LA")
    grey.putalpha(Image.fromarray(np.full((600, 512), 255, np.uint8)))
    grey.save(path)


def as_gif(path: Path) -> None:
    frames = [Image.open(PHOTOGRAPH).quantize(64), Image.new("P", (512, 600))]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("name", "save"),
    [("phone.jpg", as_exif), ("grey.png", as_grey_alpha), ("moving.gif", as_gif)],
)
def test_boxes_are_of_the_upright_picture(
    album: Path, call: Call, name: str, save: Callable[[Path], None]
) -> None:
    save(album / name)
    code, out, _ = call(f"album/{name}", "--format", "jsonl")
    (seen,) = objects(out)
    assert (code, seen["width"], seen["height"]) == (0, 512, 600)
    assert len(seen["faces"]) == 1
    assert near_face(seen["faces"][0]["box"])


def test_a_picture_of_fifty_megapixels(album: Path, call: Call) -> None:
    wide = Image.new("L", (10_000, 5_000), 128)
    wide.paste(Image.open(PHOTOGRAPH).convert("L").resize((2048, 2400)), (3000, 1000))
    wide.save(album / "large.bmp")
    _, out, _ = call("album/large.bmp", "--format", "jsonl")
    (face,) = objects(out)[0]["faces"]
    assert face["box"]["left"] == pytest.approx(3000 + 4 * FACE[0], abs=100)
    assert face["box"]["width"] == pytest.approx(4 * FACE[2], abs=100)


@pytest.fixture
def clip(album: Path) -> Path:
    """Six frames: nobody on the first three, then a face."""
    path = album / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (512, 600))
    face = np.asarray(Image.open(PHOTOGRAPH))[:, :, ::-1]
    for number in range(6):
        writer.write(np.full_like(face, 90) if number < 3 else np.ascontiguousarray(face))
    writer.release()
    return path


def test_frames_of_a_video_have_a_number(clip: Path, call: Call) -> None:
    _, out, _ = call("album/clip.avi", "--every", "2", "--format", "jsonl")
    assert [(each["frame"], len(each["faces"])) for each in objects(out)] == [
        (0, 0), (2, 0), (4, 1)
    ]  # fmt: skip
    _, out, _ = call("album/clip.avi", "--frames", "4", "--format", "csv")
    assert [row["frame"] for row in csv.DictReader(io.StringIO(out))] == ["3"]


def test_a_video_that_was_cut_is_said(clip: Path, call: Call) -> None:
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    code, out, err = call(clip, "--format", "jsonl")
    assert code == 1
    assert "cut: at least" in objects(out)[-1]["error"]
    assert "skipped 1" in err


def test_a_camera_is_looked_through_until_ctrl_c(
    album: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
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


@pytest.mark.parametrize("argv", [["face.jpg"], ["."], ["*.jpg"]])
def test_what_is_read_is_never_written_over(
    argv: list[str], album: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(album)
    before = (album / "face.jpg").read_bytes()
    with pytest.raises(ParameterError, match=r"--out .*face\.jpg: expected a file of its own"):
        call(*argv, "--out", album / "face.jpg")
    assert (album / "face.jpg").read_bytes() == before


def test_the_network_is_never_written_over(album: Path, call: Call, network: Path) -> None:
    before = network.read_bytes()
    with pytest.raises(ParameterError, match="expected a file of its own"):
        call("album", "--out", network)
    assert network.read_bytes() == before


def test_a_picture_is_never_drawn_over(album: Path, call: Call) -> None:
    drawn = album / "drawn"
    call("album/face.jpg", "--draw", drawn)
    shutil.copyfile(PHOTOGRAPH, drawn / "000001-face.jpg")
    with pytest.raises(ParameterError, match=r"found album/drawn/000001-face\.jpg"):
        call("album/face.jpg", "album/drawn/000001-face.jpg", "--draw", drawn)
    with pytest.raises(ParameterError, match="expected a place outside the folder of --draw"):
        call("album/face.jpg", "--draw", drawn, "--out", drawn / "faces.csv")
    assert (drawn / "000001-face.jpg").read_bytes() == PHOTOGRAPH.read_bytes()


def test_standard_input_is_no_file_of_that_name(
    album: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (album / "-").write_text("earlier")
    monkeypatch.chdir(album)
    predict.spare_what_is_read(predict.parse(["-", "--out", "./-", "--model", str(network)]))


@pytest.mark.parametrize("option", ["--out", "--draw"])
def test_a_place_that_cannot_be_written_to_is_said_before_the_work(
    option: str, album: Path, call: Call
) -> None:
    place = album / "face.jpg" / "below"  # a file is no folder, not even for root
    with pytest.raises(ParameterError, match=rf"{option} .*below: cannot write there"):
        call("album", option, place)


def test_how_many_there_are_is_told_unless_a_video_is_among_them(album: Path) -> None:
    assert predict.total(predict.parse(["album", "album/face.jpg"])) == 4
    assert predict.total(predict.parse(["album", "clip.avi"])) is None
    assert predict.total(predict.parse(["--camera"])) is None


def test_drawings_are_numbered_and_stay_in_their_folder(clip: Path, call: Call) -> None:
    call("album", "album/../album/face.jpg", clip, "--every", "3", "--draw", "album/drawn")
    assert sorted(path.name for path in (clip.parent / "drawn").iterdir()) == [
        "000001-face.jpg",
        "000003-wall.jpg",
        "000004-face.jpg",
        "000005-clip-frame-000000.jpg",
        "000006-clip-frame-000003.jpg",
    ]
    with Image.open("album/drawn/000004-face.jpg") as drawn:
        assert drawn.size == (512, 600)
        pixels = np.asarray(drawn).astype(int)
    photograph = np.asarray(Image.open(PHOTOGRAPH)).astype(int)
    changed = np.abs(pixels - photograph).max(axis=2) > 60
    left, top, width, height = FACE
    inner = changed[top + 30 : top + height - 30, left + 30 : left + width - 30]
    assert inner.mean() < 0.01 < changed.mean() < 0.1
    _, out, _ = call("album", "--draw", "album/drawn", "--format", "csv")
    assert "drawn" not in out, "drawings are no input"


def test_a_run_gives_the_same_bytes_whatever_the_threads(clip: Path, call: Call) -> None:
    runs = []
    for threads in (1, 2, 2):
        out, drawn = Path(f"{len(runs)}.csv"), Path(f"drawn-{len(runs)}")
        call("album", clip, "--format", "csv", "--out", out, "--draw", drawn, "--threads", threads)
        runs.append([out.read_bytes(), *(path.read_bytes() for path in sorted(drawn.iterdir()))])
    assert len(runs[0]) == 9
    assert runs[0] == runs[1] == runs[2]


def test_names_with_commas_and_line_feeds_survive_csv(album: Path, call: Call) -> None:
    name = 'a, "b"\nü 顔.jpg'
    (album / "face.jpg").rename(album / name)
    code, _, _ = call(album / name, "--format", "csv", "--out", "faces.csv")
    with Path("faces.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert code == 0
    assert row["path"] == str(album / name)
    _, out, _ = call(album / name)
    assert len(out.splitlines()) == 2, "a line a face in the table too"


def test_an_output_file_is_whole_or_absent(
    album: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facial_expression.inference.detection import Detector

    def interrupted(self: Detector, rgb: Image.Image) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Detector, "find", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call("album", "--out", "faces.csv")
    assert [path.name for path in Path().iterdir()] == ["album"]


@pytest.mark.skipif(os.name == "nt", reason="Windows interrupts otherwise")
def test_an_interruption_keeps_what_was_written(album: Path, network: Path) -> None:
    pipe = album / "later.png"
    os.mkfifo(pipe)  # nobody writes to it: the tool waits
    arguments = [*[str(album / "face.jpg")] * 70, str(pipe), "--threads", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "tools.predict", *arguments, "--model", str(network)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(65)]  # head and a batch
        process.send_signal(signal.SIGINT)
        try:
            rest, err = process.communicate(timeout=60)
        finally:
            process.kill()  # or leaving the block would wait for ever
    assert process.returncode == 130
    assert err.splitlines()[-1] == b"interrupted"
    assert b"Traceback" not in err
    assert lines[1:] == [lines[1]] * 64
    assert lines[1].endswith(b"face.jpg\n")
    assert rest == b"", "no half line"


def test_only_what_it_needs_is_imported(album: Path, network: Path) -> None:
    script = (
        "import sys; before = set(sys.modules); from tools.predict.__main__ import main; "
        f"main([{str(album / 'face.jpg')!r}, '--model', {str(network)!r}, '--draw', "
        f"{str(album / 'drawn')!r}, '--format', 'csv']); "
        "print(*(name for name, module in sys.modules.items() if name not in before and "
        "'.' not in name and 'site-packages' in (getattr(module, '__file__', None) or '')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    imported = set(done.stdout.splitlines()[-1].split())
    needed = {"onnxruntime", "numpy", "PIL", "cv2", "onnx"}  # the last two by the detector
    assert needed <= imported
    assert imported <= needed | {"google", "ml_dtypes", "tqdm", "typing_extensions"}  # theirs


def test_a_reader_that_has_enough_is_no_mistake(album: Path, network: Path) -> None:
    command_line = (
        f"{sys.executable} -m tools.predict {' '.join([str(album / 'face.jpg')] * 200)} --quiet "
        f"--format jsonl --model {network} | head -n 1"
    )
    done = subprocess.run(
        command_line, shell=True, cwd=ROOT, env=environment(), capture_output=True, check=True
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("argv", "kind", "message"),
    [
        (["album", "--draw", "album"], ParameterError, "expected another folder"),
        (["album", "--model", "none.onnx"], ModelError, "dvc pull"),
        (["album", "--model", "album/face.jpg"], ModelError, "expected an ONNX model"),
    ],
)
def test_a_mistake_is_one_line(
    album: Path, argv: list[str], kind: type[Exception], message: str, network: Path
) -> None:
    options = [] if "--model" in argv else ["--model", str(network)]
    with pytest.raises(kind, match=message) as seen:
        predict.main([*argv, *options])
    assert "\n" not in str(seen.value)


def test_a_missing_camera_is_one_line(album: Path, network: Path) -> None:
    done = command("--camera", "97", "--model", network, "--out", album / "faces.csv", "--quiet")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: camera 97: found none that can be opened")
    assert not (album / "faces.csv").exists()


def test_a_broken_video_is_one_line(album: Path, network: Path) -> None:
    (album / "clip.mp4").write_bytes(bytes(range(256)) * 8)
    done = command(album / "clip.mp4", "--model", network, "--quiet")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.endswith("clip.mp4: not a video that can be decoded")


@pytest.mark.parametrize(
    "argv",
    [[], ["album", "--camera"], ["album", "--min-score", "2"], ["album", "--every", "0"],
     ["album", "--format", "xml"]],
)  # fmt: skip
def test_wrong_arguments_are_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as seen:
        predict.main(argv)
    assert seen.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_the_detectors_limits_can_be_moved(album: Path, call: Call) -> None:
    assert call("album/face.jpg", "--min-face", "300")[2].endswith("faces 0\n")
    assert call("album/face.jpg", "--min-score", "0.99")[2].endswith("faces 0\n")


def test_the_default_model_is_that_of_the_repository() -> None:
    assert predict.parse(["album"]).model == ROOT / "released" / "expression.onnx"


def test_standard_input_may_be_closed_unless_it_is_asked_for(
    album: Path, call: Call, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", None)
    assert call("album/face.jpg")[0] == 0
    with pytest.raises(SourceError, match="standard input is closed"):
        call("-")


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["album", "--out", "album"], "expected a file, found the folder album"),
        (["album", "--out", os.devnull], "expected a file, found the device or pipe"),
        ([""], "expected PATH, found an empty one"),
    ],
)
def test_what_would_lose_work_or_a_device_is_refused_at_once(
    album: Path, capsys: pytest.CaptureFixture[str], argv: list[str], reason: str
):
    with pytest.raises(SystemExit, match="2"):
        predict.parse(argv)
    assert reason in capsys.readouterr().err
