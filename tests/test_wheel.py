"""The wheel of `pip wheel .`, installed into an environment of its own and used from elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from facial_expression.core.files import sha256_of
from tests.clones import ROOT
from tests.helpers import make_video

PACKAGES = ("facial_expression", "stages", "tools")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def place(kind: str, environment: Path) -> Path:
    """A folder of a virtual environment: `purelib` or `scripts`."""
    return Path(sysconfig.get_path(kind, "venv", {"base": str(environment)}))


def files(folder: Path) -> set[Path]:
    """What lies in the packages below `folder`, without what Python wrote there."""
    found = (path for name in PACKAGES for path in (folder / name).rglob("*") if path.is_file())
    return {path.relative_to(folder) for path in found if path.suffix != ".pyc"}


def build(folder: Path, released: Path) -> Path:
    """The wheel of this working tree with what lies in `released`."""
    pytest.importorskip("pip")
    source = folder / "source"
    for name in PACKAGES:  # a copy, since building writes beside the sources
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(released, source / "released")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    pip(sys.executable, "wheel", *options, "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """site-packages of an environment with the wheel; its dependencies are this environment's.

    The wheel is that of a clone before `dvc pull`.
    """
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "released").mkdir()
    shutil.copyfile(ROOT / "released/README.md", folder / "released/README.md")
    wheel = build(folder, folder / "released")
    venv.create(folder / "env", symlinks=os.name != "nt")
    site = place("purelib", folder / "env")
    pip(sys.executable, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return site


def pip(python: str, *arguments: str) -> None:
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def ask(site: Path, script: str, given: bytes = b"") -> str:
    """What a script prints in the new environment, isolated from this folder and its variables."""
    environment = next(folder for folder in site.parents if (folder / "pyvenv.cfg").exists())
    command = [str(place("scripts", environment) / "python"), "-I", "-W", "ignore", "-c", script]
    done = subprocess.run(command, cwd=environment, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_it_holds_every_module_template_and_page_and_no_other(site):
    assert files(site) == files(ROOT)
    (found,) = (one for one in distributions(path=[str(site)]) if one.name == PROJECT["name"])
    assert found.version == PROJECT["version"]
    assert len(found.requires or ()) >= len(PROJECT["dependencies"])


@pytest.mark.slow
def test_every_module_can_be_imported(site):
    script = f"""
import importlib, pkgutil
for package in {PACKAGES}:
    folder = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(folder, package + "."):
        try:
            print(importlib.import_module(module.name).__file__)
        except ModuleNotFoundError as error:  # of an extra
            assert error.name not in {PACKAGES} and module.name.startswith("tools.web"), error
"""
    found = ask(site, script).split()
    assert all(Path(path).is_relative_to(site) for path in found)
    assert len(found) > 80


def test_the_page_is_served(site):
    pytest.importorskip("flask", reason="the extra web is not installed")
    script = """
from tools.web.server import application
client = application(None, {}, {}, {}).test_client()
for name in ("page.js", "page.css", "camera.js"):
    assert client.get(f"/static/{name}").status_code == 200, name
print(client.get("/").text)
"""
    assert "<html" in ask(site, script)


@pytest.mark.pipeline
def test_the_report_is_written(site, pulled, tmp_path):
    out = tmp_path / "report.html"
    arguments = ["--run", str(pulled / "data"), "--out", str(out)]
    assert "wrote" in ask(site, f"from tools.report.__main__ import main; main({arguments})")
    assert "<style>" in out.read_text(encoding="utf-8")


def test_without_the_network_one_line_says_how_to_get_it(site):
    error = ask(
        site,
        """
from facial_expression import FaceReader, ModelError
try:
    FaceReader()
except ModelError as error:
    print(error)
""",
    )
    assert error.count("\n") == 1
    assert "dvc pull" in error


def photograph_and_label() -> tuple[Image.Image, str]:
    """A photograph that scikit-image installs, or else Matplotlib, and what is seen on it."""
    if found := find_spec("skimage"):
        return Image.open(Path(found.origin).parent / "data/astronaut.png"), "happy"
    return Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"), "neutral"


@pytest.mark.slow
@pytest.mark.pipeline
def test_an_empty_environment_reads_faces_by_the_readme_s_lines_and_by_the_command(
    pulled, tmp_path
):
    wheel = build(tmp_path, pulled / "released")
    environment, folder = tmp_path / "env", tmp_path / "empty"
    venv.create(environment, symlinks=os.name != "nt", with_pip=True)
    python = str(place("scripts", environment) / "python")
    install = [python, "-m", "pip", "install", "--quiet", f"{wheel}[predict]"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the dependencies cannot be installed: {done.stderr.splitlines()[-1]}")
    folder.mkdir()
    photograph, label = photograph_and_label()
    photograph.save(folder / "photo.jpg", quality=95)
    make_video(folder / "clip", 6 * [np.asarray(photograph)], container="matroska")

    def said(*command: str, code: int = 0) -> str:
        there = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        found = subprocess.run(
            command, cwd=folder, env=there, capture_output=True, text=True, check=False
        )
        assert found.returncode == code, found.stderr
        return found.stdout + found.stderr

    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert re.fullmatch(rf"{label} 0\.9\d*\n", said(python, "-c", lines))
    command = str(place("scripts", environment) / "facial-expression")
    out = said(
        command, "predict", "photo.jpg", "clip", "--every", "5", "--format", "jsonl", "--quiet"
    )
    found = [json.loads(line) for line in out.splitlines()]
    assert [each["seconds"] for each in found] == [None, 0, 0.5]
    assert [[face["label"] for face in each["faces"]] for each in found] == 3 * [[label]]
    about = said(command, "info")
    assert sha256_of(pulled / "released/expression-int8.onnx") in about
    assert "in the package" in about
    assert "for research and teaching" in about
    assert said(command, "info", "--card") == (ROOT / "released/model_card.md").read_text("utf-8")
    assert "usage: facial-expression predict" in said(command, "predict", "--help")
    assert "facial-expression-pipeline[web]" in said(command, "web", "--no-browser", code=1)
    assert "tensorflow" not in said(python, "-m", "pip", "list").lower()
    assert sorted(path.name for path in folder.iterdir()) == ["clip", "photo.jpg"]
