"""A few hundred damaged files; `python -m benchmarks.fuzz` tries more."""

import pytest

from benchmarks import fuzz
from facial_expression.core.errors import ParameterError
from facial_expression.core.files import write_json
from facial_expression.network.backend import configure

ENDS = ["read", "refused"]


@pytest.mark.parametrize(
    ("seed", "cases"), [(0, 150), (1, 150), pytest.param(2, 3000, marks=pytest.mark.slow)]
)
def test_whatever_is_damaged_the_end_is_a_result_or_one_line(pulled, seed, cases):
    configure("tensorflow", 2)
    ends = fuzz.fuzz(pulled / "data", cases, seed)
    faults = ends[~ends["end"].isin(ENDS)]
    assert faults.empty, faults.to_string()
    assert (ends["end"] == "refused").sum() > 50
    assert (ends["end"] == "read").any()


def test_the_files_of_faults_are_kept(pulled, tmp_path, monkeypatch):
    configure("tensorflow", 2)
    monkeypatch.setattr(fuzz, "tried", lambda reader, file: "traceback: of a test")
    ends = fuzz.fuzz(pulled / "data", 20, 7, tmp_path / "corpus")
    kept = {f"{path.parent.name}/{path.name}" for path in (tmp_path / "corpus").glob("*/*")}
    named = enumerate(ends[["reader", "file"]].to_numpy())
    assert kept == {f"{reader}/7-{case}.{name}" for case, (reader, name) in named}


def test_pictures_of_others_are_not_kept(tmp_path):
    write_json(tmp_path / "raw/source.json", {"sha256": "0" * 64})
    with pytest.raises(ParameterError, match="expected a run of the sample"):
        fuzz.main(["--data", str(tmp_path), "--keep", str(tmp_path / "kept")])
