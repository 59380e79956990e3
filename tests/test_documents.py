"""What the documents name exists: links, paths, modules, options, recipes and their keys.

A paragraph that names a commit (`at commit 1234567`) speaks of the code as it was there.
"""

import importlib.util
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
FOLDERS = {name.split("/")[0] for name in TRACKED if "/" in name}
DOCUMENTS = [ROOT / name for name in TRACKED if name.endswith(".md") and name.count("/") < 2]
DOCUMENTS = [path for path in DOCUMENTS if path.name not in ("CHANGELOG.md", "model_card.md")]
ELSEWHERE = re.compile(r"at commit [0-9a-f]{7}")
CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
PATH = re.compile(r"(?:\.dvc|[\w-]+)(?:/[\w.*-]+)+/?")
ABSENT = {"mine", "team"}  # what a reader adds
OVERRIDE = re.compile(r"(conf/\w+/[\w-]+\.yaml):([\w.]+)=")


def paragraphs(document: Path) -> list[str]:
    """The paragraphs about the code as it is; a fenced block belongs to the one before it."""
    text = document.read_text(encoding="utf-8")
    found = re.split(r"\n\n(?!```)", text)
    return [paragraph for paragraph in found if not ELSEWHERE.search(" ".join(paragraph.split()))]


def code(document: Path) -> list[str]:
    """Code spans and lines of fenced blocks, each on one line."""
    spans = [span for paragraph in paragraphs(document) for span in CODE.findall(paragraph)]
    lines = []
    for span in spans:
        inside = span.strip("`").replace("\\\n", " ")
        lines += inside.splitlines() if span.startswith("```") else [inside]
    return [" ".join(line.split()) for line in lines]


def is_ours(path: str) -> bool:
    """Whether git tracks such a path or ignores it, as it does the outs of the pipeline."""
    if any(fnmatch(name, path) or fnmatch(name, f"{path.rstrip('/')}/*") for name in TRACKED):
        return True
    inside = f"{path.rstrip('/')}/x"  # a pattern that ends with a slash ignores folders only
    command = ["git", "check-ignore", path, inside]
    return bool(subprocess.run(command, cwd=ROOT, capture_output=True, check=False).stdout)


def slugs(document: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leaf(file: str, key: str) -> Any:
    value = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    for part in key.split("."):
        value = value[part]
    return value


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request) -> Path:
    return request.param


def test_links_lead_somewhere(document):
    for target, anchor in LINK.findall(document.read_text(encoding="utf-8")):
        path = document.parent / target if target else document
        assert path.exists(), target
        assert not anchor or anchor in slugs(path), f"{target}#{anchor}"


def test_paths_exist(document):
    for line in code(document):
        for word in re.sub(r"<\w+>", "*", line).split():
            path = word.strip(",;:'\"")
            if (
                PATH.fullmatch(path)
                and path.split("/")[0] in FOLDERS
                and Path(path).stem not in ABSENT
            ):
                assert is_ours(path), path


def test_shell_and_yaml_blocks_have_no_fault_of_syntax(document):
    blocks = re.findall(r"```(bash|yaml)\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    for kind, text in blocks:
        if kind == "bash":
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)
            continue
        for part in yaml.safe_load_all(text):
            for container in _containers(part):
                for script in container.get("args", []):
                    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def _containers(value: Any) -> list[dict[str, Any]]:
    """Those of a Kubernetes manifest, however deep."""
    if isinstance(value, dict):
        inside = [each for part in value.values() for each in _containers(part)]
        return value.get("containers", []) + inside
    return [each for part in value for each in _containers(part)] if isinstance(value, list) else []


def test_commands_can_be_started(document):
    for line in code(document):
        for module, rest in re.findall(
            r"python -m ((?:benchmarks|stages|tools)[\w.]*)([^|#]*)", line
        ):
            spec = importlib.util.find_spec(module)
            assert spec, module
            assert spec.origin
            folder = Path(spec.origin)
            files = folder.parent.rglob("*.py") if folder.name == "__init__.py" else [folder]
            text = "".join(
                path.read_text(encoding="utf-8") for path in [*files, ROOT / "tools/arguments.py"]
            )
            for option in re.findall(r"(?<= )--[\w-]+", rest):
                assert option == "--help" or f'"{option}"' in text, f"{module} {option}"


def test_recipes_data_sets_and_their_keys_exist(document):
    for line in code(document):
        for kind, name in re.findall(r"-S (data|recipe)=([a-z][\w-]*)", line):
            if name not in ABSENT:
                assert (ROOT / "conf" / kind / f"{name}.yaml").exists(), line
        for file, key in OVERRIDE.findall(line):
            leaf(file, key)


def test_reliability_names_tests_that_exist():
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/reliability.md").read_text("utf-8"))
    assert named
    assert [name for name in named if f"def {name}(" not in tests] == []
