import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from benchmarks import scale
from facial_expression.core.files import sha256_of


def test_the_set_is_the_same_for_any_number_of_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "BLOCK", 100)
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    scale.make(one, 250, workers=1)
    scale.make(two, 250, workers=2)
    assert sha256_of(one) == sha256_of(two)
    with zipfile.ZipFile(one) as archive:
        names = archive.namelist()
        first, other, *_ = (Image.open(io.BytesIO(archive.read(name))) for name in names)
    assert len(set(names)) == 250
    assert sum(name.endswith(scale.AGAIN) for name in names) == 2
    assert {name.split("/")[0] for name in names} == {"train", "val", "test"}
    assert {name.split("/")[1] for name in names} == set(scale.classes())
    assert first.size == (48, 48)
    assert np.std(first) > 8
    assert np.abs(np.subtract(first, other, dtype=float)).mean() > 8


def test_a_set_that_nobody_has_run_is_computed_from_the_fit():
    made: list[scale.Costs] = [{"index": (size / 1e4, size * 1000)} for size in (10**5, 10**6)]
    assert scale.growth([10**5, 10**6], made).endswith("| index | 1.000 | 2.8 | 93 |")


@pytest.mark.slow
def test_every_step_is_measured(capsys, monkeypatch):
    monkeypatch.setattr(scale, "ROUNDS", 1)
    scale.main(["--sizes", "200", "300", "--workers", "2"])
    printed = capsys.readouterr().out
    steps = ["fetch", "index", "preprocess", scale.EPOCH, scale.BEST, "Pillow alone"]
    for step in steps:
        assert printed.count(f"\n| {step} | ") == 3  # of each size, and of the fit
    assert "2 pictures are there twice, 2 of them were found" in printed
    assert "3 pictures are there twice, 3 of them were found" in printed


@pytest.mark.slow
@pytest.mark.extra
def test_two_dask_workers_are_compared_with_one(tiny_archive, monkeypatch):
    monkeypatch.setattr(scale, "ROUNDS", 1)
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    assert 0 < scale.gain(tiny_archive) < 10
