"""What a report needs of each file that the stages wrote, and the check that it is there."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import read_csv
from facial_expression.export.card import AVERAGES, CALIBRATION, SPLITS

WRITTEN_BY = {
    "raw/source.json": "fetch",
    "index/audit.json": "index",
    "index/audit.csv": "index",
    "index/class_counts.csv": "index",
    "model/history.csv": "train",
    "evaluation/metrics.json": "evaluate",
    "evaluation/per_class.csv": "evaluate",
    "evaluation/confusion.csv": "evaluate",
    "evaluation/confused_pairs.csv": "evaluate",
    "export/model_card.md": "export",
    "export/parity.json": "export",
}
PLOTS = (
    "class_counts", "curves", "confusion", "per_class_f1", "confused_pairs", "reliability",
    "risk_coverage", "hardest_mistakes", "predictions", "saliency", "sample_sheet", "audit_sheet",
)  # fmt: skip
WRITTEN_BY |= {f"plots/{name}.png": "plot" for name in PLOTS}

KINDS: dict[str, Callable[[Any], bool]] = {
    "a text": lambda value: isinstance(value, str),
    "a number": lambda value: isinstance(value, int | float),
    "a number over 0": lambda value: isinstance(value, int | float) and value > 0,
    "a name of a split": lambda value: value in tuple(SPLITS),
    "keys": lambda value: isinstance(value, Mapping),
    "numbers by name": lambda value: (
        isinstance(value, Mapping)
        and all(isinstance(number, int | float) for number in value.values())
    ),
}
ENTRIES = {
    "raw/source.json": dict.fromkeys(("kind", "sha256", "licence"), "a text"),
    "index/audit.json": {"protocol": "a text", "pictures": "a number"}
    | dict.fromkeys(("used", "dropped", "findings"), "numbers by name"),
    "evaluation/metrics.json": {"protocol": "a text", "reported_split": "a name of a split"}
    | {"calibration.temperature": "a number", "calibration.fitted_on": "a text"}
    | {
        f"calibration.{when}.{key}": "a number"
        for when in ("before", "after")
        for key in CALIBRATION
    }
    | {f"selective.accuracy_at_{share}": "a number" for share in (50, 80, 90)}
    | {f"model.{key}": "a number" for key in ("parameters", "macs", "side")}
    | {"versions": "keys"},
    "export/parity.json": {"split": "a text"}
    | dict.fromkeys(("n", "decisive", "other_class", "largest_difference"), "a number"),
}
"""Kind of each entry that is shown, by its path in the JSON file."""

COLUMNS: dict[str, dict[str, type]] = {
    "index/audit.csv": {"path": str, "kind": str, "partner": str, "score": float},
    "index/class_counts.csv": {"class": str, "split": str, "count": int},
    "model/history.csv": dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), float),
    "evaluation/per_class.csv": {"class": str, "support": int}
    | dict.fromkeys(("precision", "recall", "f1"), float),
    "evaluation/confusion.csv": {"actual": str, "predicted": str},
    "evaluation/confused_pairs.csv": {"actual": str, "predicted": str}
    | {"count": int, "share_of_actual": float},
}
"""Type of each column that is shown."""

MAY_BE_EMPTY = ("index/audit.csv", "evaluation/confused_pairs.csv")


def check_complete(folder: Path) -> None:
    """Raise DatasetError unless `folder` holds every file; the message names the stage."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected the data/ of a run, found no folder; mend --run")
    for name in WRITTEN_BY:
        if not (folder / name).is_file():
            raise _wanted(folder, name, "no such file")


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file.

    Raises:
        DatasetError: it is none, or lacks a column or rows that a report shows.
    """
    try:
        rows = list(read_csv(folder / name))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _wanted(folder, name, f"expected a table in UTF-8, found {error}") from None
    if not rows and name not in MAY_BE_EMPTY:
        raise _wanted(folder, name, "expected rows, found none")
    for number, row in enumerate(rows, 1):
        for column, kind in COLUMNS[name].items():
            if (value := row.get(column)) is None:
                raise _wanted(folder, name, f"expected {column} in row {number}, found none")
            try:
                kind(value)
            except ValueError:
                found = f"expected a number as {column} in row {number}, found {value!r}"
                raise _wanted(folder, name, found) from None
    return rows


def facts(folder: Path, name: str) -> dict[str, Any]:
    """The entries of a JSON file.

    Raises:
        DatasetError: it is none, or lacks an entry that a report shows.
    """
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except ValueError as error:
        raise _wanted(folder, name, f"expected JSON, found {error}") from None
    if not isinstance(found, dict):
        raise _wanted(folder, name, f"expected keys, found {found!r:.40}")
    entries = list(ENTRIES[name].items())
    for path, kind in entries if name != "evaluation/metrics.json" else _scored(found, entries):
        value: Any = found
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            raise _wanted(folder, name, f"expected an entry {path!r}, found none")
        if not KINDS[kind](value):
            raise _wanted(folder, name, f"expected {kind} as {path!r}, found {value!r:.40}")
    return found


def text(folder: Path, name: str) -> str:
    """A text.

    Raises:
        DatasetError: it is not UTF-8.
    """
    try:
        return (folder / name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _wanted(folder, name, f"expected a text in UTF-8, found {error}") from None


def check_lock(path: Path, lock: Mapping[str, Any]) -> None:
    """Raise DatasetError unless a dvc.lock names outputs and parameters as DVC writes them."""
    stages = lock.get("stages", {})
    if not isinstance(stages, Mapping):
        raise DatasetError(f"{path}: expected stages by name, found {stages!r:.40}; run dvc repro")
    for stage, entry in stages.items():
        if not _is_stage(entry):
            raise DatasetError(
                f"{path}: expected outs with path, md5 and size and params by file in stage "
                f"{stage}, found {entry!r:.40}; run dvc repro"
            )


def _is_stage(entry: Any) -> bool:
    if not isinstance(entry, Mapping):
        return False
    outs, params = entry.get("outs", []), entry.get("params", {})
    return (
        isinstance(outs, list)
        and all(isinstance(out, Mapping) and {"path", "md5", "size"} <= out.keys() for out in outs)
        and all(isinstance(out["size"], int) for out in outs)
        and isinstance(params, Mapping)
        and all(isinstance(values, Mapping) for values in params.values())
    )


def _scored(
    metrics: Mapping[str, Any], entries: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """The entries, and those of every split that was scored, in each of the ways."""
    yield from entries
    reported = metrics["reported_split"]
    for name in [split + how for split in SPLITS for how in (*AVERAGES, "_leak_free")]:
        if name in metrics or name == reported:
            yield f"{name}.n", "a number over 0"
            for end in ("", "_low", "_high"):
                yield f"{name}.accuracy{end}", "a number"
            yield name, "numbers by name"
            for key in [key for key in metrics[name] if key.endswith("_low")]:
                yield f"{name}.{key.removesuffix('_low')}_high", "a number"


def _wanted(folder: Path, name: str, found: str) -> DatasetError:
    return DatasetError(f"{folder / name}: {found}; run the {WRITTEN_BY[name]} stage (dvc repro)")
