"""Whether the files of a run are those that dvc.lock names, and what it names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.report.expected import WRITTEN_BY
from tools.report.run import Run


def outputs(run: Run) -> Iterator[tuple[str, str, str, int]]:
    """Stage, path, md5 and bytes of everything that the stages wrote."""
    for stage, entry in run.lock.get("stages", {}).items():
        for out in entry.get("outs", []):
            yield stage, str(out["path"]), str(out["md5"]), int(out["size"])


def differences(run: Run) -> list[str]:
    """One sentence for each file or parameter that is not the one dvc.lock was written for."""
    if not run.lock:
        return [
            "There is no dvc.lock beside these files, so nothing shows that one run wrote them."
        ]
    named = {path: md5 for _, path, md5, _ in outputs(run)}
    found = [
        f"data/{name} is not the file that dvc.lock names."
        for name in WRITTEN_BY
        if named.get(f"data/{name}") != _md5(run.folder / name)
    ]
    for stage, entry in run.lock.get("stages", {}).items():
        for name, values in entry.get("params", {}).items():
            if name not in run.settings:
                found.append(f"Stage {stage} read {name}, which params.yaml does not name now.")
                continue
            found += [
                f"{name}: {key} is not what stage {stage} read."
                for key, value in values.items()
                if _at(run.settings[name], key) != value
            ]
    return found


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
