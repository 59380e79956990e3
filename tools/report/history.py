"""What DVC knows of a run: which stage wrote which file, and which files have changed since."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage

from facial_expression.core.errors import DatasetError, reason


@dataclass(frozen=True)
class Output:
    """Something that a stage wrote, as dvc.lock names it; `size` in bytes."""

    path: str
    stage: str
    size: int
    md5: str


def outputs_and_differences(root: Path) -> tuple[list[Output], list[str]]:
    """The outputs in dvc.lock, and a sentence for each that is not what lies in `root` now.

    Raises:
        DatasetError: DVC cannot read its files in `root`.
    """
    if not (root / ".dvc").is_dir() or not (root / "dvc.lock").is_file():
        missing = "dvc.lock" if (root / ".dvc").is_dir() else "DVC repository"
        return [], [
            f"There is no {missing} beside these files, so nothing shows that one run wrote them."
        ]
    try:
        with Repo(str(root)) as repo:
            stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
            outputs = [
                Output(str(out.def_path), stage.name, out.meta.size, out.hash_info.value)
                for stage in stages
                for out in stage.outs
                if out.hash_info
            ]
            status = repo.status([stage.addressing for stage in stages])
    except DvcException as error:
        raise DatasetError(f"{root / 'dvc.lock'}: {reason(error)}; run dvc repro") from None
    return outputs, [
        text for stage, found in status.items() for text in _told(stage.rpartition(":")[2], found)
    ]


def _told(stage: str, found: list[Any]) -> Iterator[str]:
    """Sentences for DVC's status of a stage, code aside: it says nothing of the files."""
    for entry in found:
        if not isinstance(entry, dict):
            continue
        for path in entry.get("changed outs", {}):
            yield f"{path} is not the file that dvc.lock names."
        for path, change in entry.get("changed deps", {}).items():
            if isinstance(change, dict):  # parameters, by key
                for key in change:
                    yield f"{path}: {key} is not what stage {stage} read."
            elif path.startswith("data/"):
                yield f"{path} is not what stage {stage} read."
