import threading
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from PIL import Image

from facial_expression.inference import pipeline
from facial_expression.inference.boxes import Box, crop
from facial_expression.inference.network import Network
from facial_expression.inference.pipeline import predict
from facial_expression.inference.sources import Source, unreadable
from facial_expression.pictures.images import Picture, square
from tests.networks import expected, tiny_network

PICTURES = 150


@pytest.fixture(scope="module", params=[True, False], ids=["with maps", "without"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("network") / "tiny.onnx"
    return Network(tiny_network(path, activation=request.param), 1)


def noise(seed: int, width: int = 48, height: int = 48) -> Picture:
    draws = np.random.default_rng(seed)
    return Picture(Image.fromarray(draws.integers(0, 256, (height, width), np.uint8)), "L")


def many() -> Iterator[Source]:
    """150 pictures, four of them unreadable."""
    for seed in range(PICTURES):
        torn = seed % 40 == 7
        path = f"{seed}.png"
        yield unreadable(path, "torn") if torn else Source(path, None, partial(noise, seed))


def two_boxes(rgb: Image.Image) -> list[Box]:
    """Two faces on bright pictures, none on others."""
    assert rgb.mode == "RGB"
    bright = np.asarray(rgb).mean() > 127.5
    return [Box(28, 2, 22, 18, 0.8), Box(4, 6, 30, 36, 0.9)] if bright else []


def test_whole_pictures_are_predicted_as_the_network_does(network):
    found = list(predict(many(), network, None))
    assert [each.path for each in found] == [f"{seed}.png" for seed in range(PICTURES)]
    read = [each for each in found if not each.error]
    assert [each.path for each in found if each.error] == [f"{n}.png" for n in (7, 47, 87, 127)]
    images = np.stack([square(noise(int(each.path[:-4])), 48) for each in read])
    rows = np.stack([each.faces[0].probabilities for each in read])
    np.testing.assert_allclose(rows, expected(images), atol=1e-5)
    assert np.ptp(rows, axis=0).min() > 0.1, "the answers differ"
    assert all(each.faces[0].box == Box(0, 0, 48, 48, 1.0) for each in read)


def test_faces_are_cropped_by_the_network_s_rule(network):
    crops, rows = [], []
    for each in predict(many(), network, two_boxes):
        if not each.error:
            picture = noise(int(each.path[:-4]))
            boxes = two_boxes(picture.rgb)
            assert [face.box for face in each.faces] == [box.clipped((48, 48)) for box in boxes]
            crops += [crop(picture.grey, box, network.crop, 48) for box in boxes]
            rows += [face.probabilities for face in each.faces]
    assert 100 < len(rows) < 2 * PICTURES, "some pictures have no face"
    np.testing.assert_allclose(np.stack(rows), expected(np.stack(crops)), atol=1e-5)


def test_boxes_are_pixels_of_the_file_where_it_was_read_smaller(network):
    bright = Image.new("L", (48, 48), 200)
    read = [Picture(bright, "L"), Picture(bright, "L", (96, 95))]
    sources = [Source("", None, partial(lambda each: each, each)) for each in read]
    for find in (None, two_boxes):
        whole, halved = predict(sources, network, find)
        assert (whole.size, halved.size) == ((48, 48), (96, 95))
        for one, other in zip(whole.faces, halved.faces, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
            assert find is None or other.box == one.box.scaled(2).clipped((96, 95))


def test_a_very_large_picture_is_kept_at_half_its_size(network, monkeypatch):
    sources = [Source("", None, partial(noise, seed, 49, 48)) for seed in range(3)]
    before, *_ = predict(sources, network, two_boxes, keep=True)
    monkeypatch.setattr(pipeline, "KEPT", 49 * 48 - 1)
    smaller = list(predict(sources, network, two_boxes, keep=True))
    assert {(each.size, each.rgb.size) for each in smaller} == {((49, 48), (25, 24))}
    assert (before.rgb.size, str(before.faces)) == ((49, 48), str(smaller[0].faces))


@pytest.mark.parametrize("find", [None, two_boxes])
def test_the_number_of_threads_changes_no_digit(network, find):
    def digits(workers: int, live: bool) -> list[tuple[str, str, list[list[float]]]]:
        return [
            (each.path, each.error, [face.probabilities.tolist() for face in each.faces])
            for each in predict(many(), network, find, workers=workers, live=live)
        ]

    assert digits(1, False) == digits(3, False)
    for one, other in zip(digits(1, True), digits(2, False), strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_allclose(one[2], other[2], atol=1e-6)


def test_only_a_few_pictures_are_in_memory(network):
    alive = peak = 0
    lock = threading.Lock()

    class Counted(Picture):
        def __del__(self) -> None:
            nonlocal alive
            with lock:
                alive -= 1

    def read(seed: int) -> Picture:
        nonlocal alive, peak
        with lock:
            alive += 1
            peak = max(peak, alive)
        return Counted(noise(seed, 60, 50).upright, "L")

    endless = (Source(str(seed), None, partial(read, seed)) for seed in range(10**9))
    found = predict(endless, network, two_boxes, workers=3)
    for _ in range(300):
        next(found)
    assert 1 <= peak <= 6
    found.close()  # type: ignore[attr-defined]


def test_a_file_that_cannot_be_opened_does_not_end_the_run(network, tmp_path):
    def denied() -> Picture:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    sources = [Source("x", None, denied), Source("y", None, partial(noise, 1))]
    assert [each.error for each in predict(sources, network, None)] == ["Permission denied", ""]
