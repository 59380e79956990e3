"""`FaceReader`: every kind of input, many pictures, videos, threads."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

import facial_expression
from facial_expression import Face, FaceReader, ImageError, ModelError, ParameterError
from facial_expression.inference import released
from tests.clones import ROOT, environment
from tests.helpers import encoded, make_video, picture
from tests.networks import CLASSES, expected, tiny_network

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
PIXELS = np.asarray(Image.open(PHOTOGRAPH))
LEFT, TOP, WIDTH, HEIGHT = 183, 120, 170, 212  # of the face, roughly


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_network(tmp_path_factory.mktemp("network") / "tiny.onnx")


@pytest.fixture(scope="module")
def reader(network: Path) -> FaceReader:
    return FaceReader(network)


def digits(faces: list[Face]) -> list[tuple[list[float], dict[str, float]]]:
    return [([*face.box], face.expressions) for face in faces]


def test_a_face_has_a_box_a_label_and_calibrated_probabilities(reader):
    (face,) = reader.analyze(PHOTOGRAPH)
    x, y, width, height = face.box
    assert np.abs(np.subtract((x, y, width, height), (LEFT, TOP, WIDTH, HEIGHT))).max() < 25
    assert list(face.expressions) == list(CLASSES) == list(reader.classes)
    assert sum(face.expressions.values()) == pytest.approx(1, abs=1e-6)
    assert face.expressions[face.label] == max(face.expressions.values())
    shares = np.array(list(face.expressions.values()))
    assert face.entropy == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-6)
    assert reader.facts["terms"] == "For tests alone."


@pytest.mark.parametrize(
    ("given", "colour"),
    [
        (str(PHOTOGRAPH), "rgb"),
        (PHOTOGRAPH.read_bytes(), "rgb"),
        (Image.open(PHOTOGRAPH), "rgb"),
        (PIXELS, "rgb"),
        (PIXELS[:, :, ::-1], "bgr"),
        (np.asfortranarray(PIXELS), "rgb"),
    ],
)
def test_every_form_of_a_picture_gives_the_same(reader, given, colour):
    assert digits(reader.analyze(given, colour)) == digits(reader.analyze(PHOTOGRAPH))


def test_grey_and_turned_and_transparent_pictures(reader, tmp_path):
    grey = np.asarray(Image.fromarray(PIXELS).convert("L"))
    one, other = reader.analyze(grey), reader.analyze(grey[:, :, None])
    assert len(one) == 1
    assert digits(one) == digits(other)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(PIXELS).transpose(Image.Transpose.ROTATE_90)
    data = encoded(lying, "PNG", exif=exif)
    (tmp_path / "lying.png").write_bytes(data)
    opened = Image.open(tmp_path / "lying.png")
    assert digits(reader.analyze(opened)) == digits(reader.analyze(PIXELS))
    opaque = Image.fromarray(PIXELS).convert("RGBA")
    assert digits(reader.analyze(opaque)) == digits(reader.analyze(PIXELS))


def test_cropped_faces_are_read_as_for_training(network):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    (face,) = FaceReader(network, detect=False).analyze(pixels)
    np.testing.assert_allclose(face.probabilities, expected(pixels[None])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ("missing.png", FileNotFoundError, "missing.png"),
        (ROOT / "README.md", ImageError, r"README\.md: not a picture"),
        (b"", ImageError, "empty"),
        (PIXELS / 255, ParameterError, r"found float64 \(600, 512, 3\)"),
        (PIXELS[:, :, :2], ParameterError, r"found uint8 \(600, 512, 2\)"),
        (PIXELS[:0], ParameterError, r"found uint8 \(0, 512, 3\)"),
        (Image.new("F", (9, 9)), ImageError, "no agreed range"),
        (None, ParameterError, "found NoneType"),
    ],
)
def test_what_is_no_picture_is_one_line(reader, given, error, said):
    with pytest.raises(error, match=said):
        reader.analyze(given)
    with pytest.raises(ParameterError, match="'gbr'"):
        reader.analyze(PIXELS, "gbr")


def test_many_pictures_in_their_order_whatever_the_number_of_workers(reader, tmp_path):
    torn, wall = tmp_path / "torn.jpg", tmp_path / "wall.png"
    torn.write_bytes(PHOTOGRAPH.read_bytes()[:20_000])
    wall.write_bytes(picture(1, side=200, kind="PNG"))
    given = [PHOTOGRAPH, torn, wall, PIXELS, "missing.png"] * 3
    one, two = (list(reader.analyze_many(given, workers=number)) for number in (1, 3))
    assert [result.path for result in one[:5]] == [
        str(PHOTOGRAPH), str(torn), str(wall), "", "missing.png"
    ]  # fmt: skip
    assert [len(result.faces) for result in one[:5]] == [1, 0, 0, 1, 0]
    assert [bool(result.error) for result in one[:5]] == [False, True, False, False, True]
    assert [digits(result.faces) for result in one] == [digits(result.faces) for result in two]


def test_a_video_is_an_iterator_of_frames_with_their_seconds(reader, tmp_path):
    frames = [np.full_like(PIXELS, 90), PIXELS, PIXELS, PIXELS]
    path = make_video(tmp_path / "clip", frames, "mpeg4", "mp4", times=[0, 40, 1000, 3000])
    found = reader.analyze_video(path, every=2)
    assert [(each.frame, each.seconds, len(each.faces)) for each in found] == [(0, 0, 0), (2, 1, 1)]
    with pytest.raises(FileNotFoundError):
        reader.analyze_video(tmp_path / "none.mp4")


def test_threads_share_one_reader_and_answer_alike(reader):
    given = [PIXELS, PIXELS[:, ::-1], PIXELS[40:, 30:], PIXELS[::2, ::2]] * 4
    alone = [digits(reader.analyze(each)) for each in given]
    with ThreadPoolExecutor(4) as pool:
        assert [digits(faces) for faces in pool.map(reader.analyze, given)] == alone


def test_the_network_is_named_or_beside_the_clone_or_in_the_package(network, tmp_path, monkeypatch):
    places = {"CLONE": tmp_path / "clone.onnx", "PACKAGE": tmp_path / "package.onnx"}
    for name, path in places.items():
        monkeypatch.setattr(released, name, path)
    with pytest.raises(ModelError, match=r"found none; run `dvc pull`"):
        FaceReader()
    places["PACKAGE"].write_bytes(network.read_bytes())
    assert FaceReader().path == places["PACKAGE"]
    places["CLONE"].write_bytes(network.read_bytes())
    assert FaceReader().path == places["CLONE"]
    assert FaceReader(network).path == network


def test_the_package_imports_nothing_until_a_name_is_used():
    code = """
import sys
before = set(sys.modules)
import facial_expression
free = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
facial_expression.FaceReader
print(sorted(free), sorted(HEAVY & set(sys.modules)), sys.modules.get("onnx"))
""".replace("HEAVY", "{'tensorflow', 'keras', 'pandas', 'scipy', 'cv2', 'av', 'dvc'}")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "['facial_expression'] [] None\n"
    assert set(facial_expression.__all__) <= set(dir(facial_expression))
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        facial_expression.Nobody  # noqa: B018
