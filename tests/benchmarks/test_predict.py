import re

import numpy as np
import pytest
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


@pytest.mark.slow
def test_the_first_answer_is_timed_beside_the_rival_s(tmp_path, monkeypatch, capsys):
    def unpack(folder):
        (folder / "fer").mkdir()
        answer = "import time\nclass FER:\n    def top_emotion(self, bgr):\n"
        answer += "        time.sleep(5)\n        return 'happy', 1.0\n"
        (folder / "fer/fer.py").write_text(answer)

    monkeypatch.setattr(predict.rival_fer, "unpack", unpack)
    predict.report_first_answer(tmp_path / "fer", tiny_network(tmp_path / "tiny.onnx"), 1)
    said = re.fullmatch(
        r"tiny: first answer after (\S+) .* fer after (\S+) .*\n", capsys.readouterr().out
    )
    ours, theirs = map(float, said.groups())
    assert 0 < ours < theirs
    assert theirs > 5
