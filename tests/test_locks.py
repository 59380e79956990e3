"""The locks, what pip makes of them, and the workflow that installs them."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
MAIN, EXTRAS = "requirements.txt", "requirements-extras.txt"


def locked(name: str) -> dict[str, int]:
    """Each requirement of a lock with its marker, and the number of its hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return {line.partition("--hash")[0].strip(): line.count("--hash=sha256:") for line in lines}


@pytest.mark.parametrize("name", [MAIN, EXTRAS])
def test_every_file_that_pip_may_install_is_known_by_its_hash(name):
    for line, hashes in locked(name).items():  # one hash in a lock makes pip ask for all
        assert {clause.operator for clause in Requirement(line).specifier} == {"=="}, line
        assert hashes > 0, line
    assert not re.search(r"://|^-", (ROOT / name).read_text("utf-8"), re.MULTILINE)


def test_the_extras_hold_the_main_lock():
    main, extras = ({line.split()[0] for line in locked(name)} for name in (MAIN, EXTRAS))
    assert main <= extras


def test_the_workflow_may_only_read_and_runs_known_actions():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert not [job for job in workflow["jobs"].values() if "permissions" in job]
    actions = [step for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"]) for step in actions)
    for step in actions:
        assert "checkout" not in step["uses"] or step["with"]["persist-credentials"] is False
