"""The house rules: who imports whom, and dvc.yaml's deps against the scripts' real imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
OURS = ("facial_expression", "stages", "tools", "benchmarks")
SOURCES = sorted(path for name in OURS for path in (ROOT / name).rglob("*.py"))
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
SHARED = {"errors", "parameters", "labels", "files"}  # modules that every package may import
KERAS = {"keras", "tensorflow", "jax", "torch"}
LIGHT = {
    "fetch",
    "index",
    "preprocess",
    "plot",
}  # stages without TensorFlow and scikit-learn


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


def our_imports(path: Path) -> set[Path]:
    return {file for name in imports_of(path) if (file := module_file(name))}


def closure(path: Path) -> set[Path]:
    """The file and every file of ours that it imports, directly or not."""
    seen: set[Path] = set()
    todo = [path]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo.extend(our_imports(current))
    return seen


def relative(paths: set[Path]) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in paths}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_exactly_what_the_script_imports(stage):
    declared = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert declared == relative(closure(ROOT / "stages" / f"{stage}.py"))


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_and_out_says_what_it_is(stage):
    assert STAGES[stage]["desc"]
    for entry in [*STAGES[stage]["outs"], *STAGES[stage].get("metrics", [])]:
        ((path, options),) = entry.items()
        assert options.get("desc"), path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_who_may_import_whom(path):
    where = path.relative_to(ROOT).parts
    for name in imports_of(path):
        top, *rest = name.split(".")
        if where[0] == "facial_expression":
            assert top not in ("stages", "tools", "benchmarks"), f"{path} imports {name}"
            if top == "facial_expression" and len(where) >= 3:
                allowed = {where[1], *SHARED}
                if where[1] == "training":
                    allowed.add("dataset")
                    assert rest[0] != "dataset" or rest[1] == "arrays", f"{path} imports {name}"
                if where[1] == "inference":
                    allowed.add("dataset")
                    assert rest[0] != "dataset" or rest[1] == "images", f"{path} imports {name}"
                if where[1] == "reporting":
                    allowed.add("model_card")  # its words for splits and scores
                assert rest[0] in allowed, f"{path} imports {name}"
            if top == "facial_expression" and len(where) == 2:
                assert rest[0] in SHARED, f"{path} imports {name}"
            assert top not in KERAS or where[1] == "training", f"{path} imports {name}"
            assert top != "matplotlib" or where[1] == "plotting", f"{path} imports {name}"
        elif where[0] == "stages":
            assert top not in ("stages", "tools", "benchmarks", "matplotlib"), f"{path}: {name}"


@pytest.mark.parametrize("stage", sorted(LIGHT))
def test_light_stages_reach_neither_keras_nor_scikit_learn(stage):
    heavy = KERAS | {"sklearn"}
    for path in closure(ROOT / "stages" / f"{stage}.py"):
        assert not heavy & {name.split(".")[0] for name in imports_of(path)}, path


def test_pictures_go_only_to_the_remote_of_their_data_set():
    pictures = {"data/raw/images.zip", "data/arrays", "data/evaluation/saliency.npz"} | {
        f"data/plots/{name}.png"
        for name in (
            "audit_sheet",
            "confused_pairs",
            "hardest_mistakes",
            "predictions",
            "saliency",
            "sample_sheet",
        )
    }
    outs = {
        path: options for s in STAGES.values() for e in s["outs"] for path, options in e.items()
    }
    assert {
        path for path, options in outs.items() if options.get("remote") == "${data}"
    } == pictures


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 220
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno <= 60, f"{path}: {node.name}"
