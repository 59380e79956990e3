"""The house rules: who imports whom, and dvc.yaml's deps against the scripts' real imports."""

import ast
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from facial_expression.train import checkpoints
from tests.clones import run

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "facial_expression"
OURS = ("facial_expression", "stages", "tools", "benchmarks")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
PACKAGES = {path.parent.name for path in (ROOT / "facial_expression").glob("*/__init__.py")}
KERAS = {"keras", "tensorflow", "jax"}
TENSORFLOW = {"network", "train", "evaluate", "export"}  # the packages that may import it
LIGHT = ("fetch", "index", "preprocess", "plot")  # stages that start without TensorFlow


def imports_of(path: Path) -> set[str]:
    """Dotted names that a file imports, at any depth in it; `if TYPE_CHECKING` blocks excepted."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def module_file(name: str) -> Path | None:
    """The file of ours that a dotted name (a module, or something in one) comes from."""
    parts = name.split(".")
    while parts and parts[0] in OURS:
        where = ROOT.joinpath(*parts)
        for path in (where.with_suffix(".py"), where / "__init__.py"):
            if path.exists() and len(parts) > 1:
                return path
        parts.pop()
    return None


def closure(path: Path) -> set[Path]:
    """The file and every file of ours that it imports, directly or not."""
    seen: set[Path] = set()
    todo = [path]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo.extend(file for name in imports_of(current) if (file := module_file(name)))
    return seen


def deps_of(stage: str) -> set[Path]:
    """What dvc.yaml calls the code of a stage: its script and packages."""
    named = {ROOT / dep for dep in STAGES[stage]["deps"]}
    return {path for path in named if path.parent == LIBRARY or path.suffix == ".py"}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_packages_that_the_stage_imports(stage):
    script = ROOT / "stages" / f"{stage}.py"
    needed = closure(script) - {script}
    assert deps_of(stage) == {script} | {
        LIBRARY / path.relative_to(LIBRARY).parts[0] for path in needed
    }


def test_dvc_yaml_is_short():
    assert sum(len(deps_of(stage)) for stage in STAGES) <= 35


def test_the_resume_key_holds_the_code_deps_of_train():
    code = {ROOT / "facial_expression" / package for package in checkpoints.CODE}
    assert deps_of("train") == code | {ROOT / "stages" / "train.py"}


@pytest.mark.parametrize("folder", [*OURS, "tests"])
def test_who_may_import_whom(folder):
    for path in (ROOT / folder).rglob("*.py"):
        where = path.relative_to(ROOT).parts
        for name in imports_of(path):
            top, *rest = name.split(".")
            said = f"{path.relative_to(ROOT)} imports {name}"
            if folder == "facial_expression":
                package = where[1]
                assert top not in ("stages", "tools", "benchmarks", "tests"), said
                if top == "facial_expression" and rest[0] in STAGES:
                    assert rest[0] == package, said  # two stages never import each other
                assert top not in KERAS or package in TENSORFLOW, said
                assert top != "matplotlib" or package == "plot", said
            elif folder == "stages":
                assert top not in ("stages", "tools", "benchmarks", "matplotlib"), said
            elif folder in ("tools", "benchmarks"):
                assert top != "stages", said


@pytest.mark.parametrize("stage", LIGHT)
def test_light_stages_do_not_reach_keras(stage):
    for path in closure(ROOT / "stages" / f"{stage}.py"):
        assert not KERAS & {name.split(".")[0] for name in imports_of(path)}, path


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_and_out_says_what_it_is(stage):
    assert STAGES[stage]["desc"]
    for entry in [*STAGES[stage]["outs"], *STAGES[stage].get("metrics", [])]:
        ((path, options),) = entry.items()
        assert options.get("desc"), path


def test_everything_goes_to_the_remote_of_its_data_set():
    for stage in STAGES.values():
        for entry in stage["outs"]:
            for path, options in entry.items():
                assert options["remote"] == "${data}", path
    for path in (ROOT / "released").glob("*.dvc"):
        (out,) = yaml.safe_load(path.read_text("utf-8"))["outs"]
        assert out["remote"] == "sample", path


def test_git_ignores_every_cached_out():
    outs = [path for stage in STAGES.values() for entry in stage["outs"] for path in entry]
    ignored = run(ROOT, "git", "check-ignore", *outs, check=False).splitlines()
    assert set(ignored) == set(outs)


def test_git_ignores_the_default_remote():
    config = ConfigParser()
    config.read(ROOT / ".dvc" / "config")
    default = config["core"]["remote"]
    place = ROOT / ".dvc" / config[f"'remote \"{default}\"'"]["url"]
    assert run(ROOT, "git", "check-ignore", str(place / "files"), check=False).strip()
