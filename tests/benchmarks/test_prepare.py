import pytest

from benchmarks import prepare
from tests.clones import ROOT


@pytest.mark.slow
def test_the_stages_and_the_rival_are_measured(tiny_archive, capsys):
    data = ROOT / "conf/data/fer2013.yaml"
    prepare.main([str(tiny_archive), "--data", str(data), "--repeats", "1"])
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[2:]] == [
        "fetch", "index", "preprocess", "together", "the"
    ]  # fmt: skip
