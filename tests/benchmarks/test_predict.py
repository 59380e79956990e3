import numpy as np
from PIL import Image

from benchmarks import predict
from facial_expression.inference.detection import Detector
from tests.networks import tiny_network


def test_a_photograph_has_its_size_and_two_faces():
    shown = predict.photograph(np.random.default_rng(0), predict.portrait())
    assert shown.size == predict.SIZE
    left, right = sorted(box.left for box in Detector(0.7, 16, 1).find(shown))
    assert left < predict.SIZE[0] / 2 < right


def test_a_run_is_timed_weighed_and_its_faces_are_counted(tmp_path):
    crops = tmp_path / "crops"
    crops.mkdir()
    for number in range(3):
        Image.new("L", (48, 48), 90 * number).save(crops / f"{number}.png")
    seconds, peak, faces = predict.measure(crops, tiny_network(tmp_path / "tiny.onnx"), 2,
                                           "--no-detect")  # fmt: skip
    assert len(seconds) == 2
    assert min(seconds) > 0
    assert peak > 20e6
    assert faces == 3
