"""The pictures of README.md, and its map of the stages."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.browsing import CHROMIUM
from tests.clones import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README))


def test_every_picture_is_small_and_has_an_alternative_text():
    kept = {path.relative_to(ROOT) for path in (ROOT / "docs/pictures").iterdir()}
    assert {Path(path) for path in SHOWN.values()} == kept
    assert README.count("![") == len(kept)
    assert all(len(alternative.split()) >= 10 for alternative in SHOWN)
    assert sum((ROOT / path).stat().st_size for path in kept) < 600_000


def test_the_map_has_the_arrows_of_dvc_yaml():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    made = {
        path: name
        for name, stage in stages.items()
        for entry in [*stage["outs"], *stage.get("metrics", [])]
        for path in entry
    }
    reads = {
        (made[dep], name) for name, stage in stages.items() for dep in stage["deps"] if dep in made
    }
    (chart,) = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    drawn = re.findall(r"^ *(\w+) --> (.+)$", chart, re.MULTILINE)
    assert {(source, name) for source, targets in drawn for name in targets.split(" & ")} == reads


@pytest.mark.slow
@pytest.mark.pipeline
def test_one_command_draws_them(pulled, tmp_path):
    run(pulled, "python", "-m", "tools.pictures", "--out", str(tmp_path))
    names = {"faces.png", "confusion.png", "curves.png"} | ({"report.png"} if CHROMIUM else set())
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names - {"report.png"}:  # fonts differ from machine to machine
        new, old = (Image.open(folder / name) for folder in (tmp_path, ROOT / "docs/pictures"))
        difference = np.asarray(new.convert("L"), float) - np.asarray(old.convert("L"), float)
        assert np.abs(difference).mean() < 1, f"{name} is out of date: run python -m tools.pictures"
