"""What the stages wrote of one run, as a report needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from ruamel.yaml import YAML, YAMLError

from facial_expression.errors import DatasetError, ParameterError
from facial_expression.files import read_csv
from facial_expression.reporting.pictures import Picture, embed

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
ENTRIES = {
    "index/audit.json": ("protocol", "pictures", "used", "dropped", "findings"),
    "evaluation/metrics.json": (
        *("protocol", "reported_split", "calibration", "selective", "model", "versions"),
    ),
    "export/parity.json": ("split", "n", "decisive", "other_class", "largest_difference"),
}
WRITTEN_BY |= {f"plots/{name}.png": "plot" for name in PLOTS}
Row = Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """One run; every value as the stage wrote it.

    Attributes:
        folder: its `data/`; params.yaml, conf/ and dvc.lock lie beside it.
        tables: rows by the name of the CSV file without its suffix.
        facts: `source`, `audit`, `metrics` and `parity`, the JSON files.
        card: model_card.md.
        plots: the figures by name.
        settings: params.yaml and the two files that it names, by their path.
        parameters: their texts, for showing.
        lock: dvc.lock; empty where there is none.
    """

    folder: Path
    tables: Mapping[str, Sequence[Row]]
    facts: Mapping[str, Any]
    card: str
    plots: Mapping[str, Picture]
    settings: Mapping[str, dict[str, Any]]
    parameters: Mapping[str, str]
    lock: Mapping[str, Any]

    @property
    def split(self) -> str:
        """The reported split."""
        return str(self.facts["metrics"]["reported_split"])

    @property
    def scores(self) -> Mapping[str, float]:
        """The plain scores of the reported split."""
        return self.facts["metrics"][self.split]

    @property
    def synthetic(self) -> bool:
        """Whether its pictures are this pipeline's own drawings."""
        return bool(self.facts["source"].get("kind") == "sample")


def read(folder: Path) -> Run:
    """Read the run whose `data/` is `folder`.

    Raises:
        DatasetError: a file of a stage is missing or is none; the message names the stage.
        ParameterError: params.yaml or a file that it names is missing or no YAML.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected the data/ of a run, found no folder; mend --run")
    missing = [name for name in WRITTEN_BY if not (folder / name).is_file()]
    if missing:
        raise DatasetError(_wanted(folder, missing[0], "no such file"))
    facts = {Path(name).stem: _json(folder, name) for name in WRITTEN_BY if name.endswith(".json")}
    tables = {
        Path(name).stem: list(read_csv(folder / name))
        for name in WRITTEN_BY
        if name.endswith(".csv")
    }
    for name in ("history", "per_class", "confusion", "class_counts"):
        if not tables[name]:
            (path,) = (path for path in WRITTEN_BY if path.endswith(f"{name}.csv"))
            raise DatasetError(_wanted(folder, path, "expected rows, found none"))
    root = folder.parent
    settings = {name: _yaml(root / name) for name in _parameter_files(root)}

    def public(text: str) -> str:
        for path in sorted(_private(list(settings.values())), key=len, reverse=True):
            text = text.replace(path, "a local copy")
        return text

    return Run(
        folder=folder,
        tables=tables,
        facts=facts,
        card=public((folder / "export/model_card.md").read_text(encoding="utf-8")),
        plots={
            Path(name).stem: embed(folder / name) for name in WRITTEN_BY if name.endswith(".png")
        },
        settings=settings,
        parameters={name: public(_text(root / name)) for name in settings},
        lock=_yaml(root / "dvc.lock") if (root / "dvc.lock").is_file() else {},
    )


def _wanted(folder: Path, name: str, found: str) -> str:
    return f"{folder / name}: {found}; run the {WRITTEN_BY[name]} stage (dvc repro)"


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
        lacking = [entry for entry in ENTRIES.get(name, ()) if entry not in found]
    except (ValueError, TypeError) as error:
        raise DatasetError(_wanted(folder, name, f"expected JSON, found {error}")) from None
    if lacking:
        raise DatasetError(_wanted(folder, name, f"expected an entry {lacking[0]!r}, found none"))
    return dict(found)


def _parameter_files(root: Path) -> list[str]:
    """params.yaml and the two files that it names, below the root."""
    active = _yaml(root / "params.yaml")
    try:
        return ["params.yaml", *(f"conf/{kind}/{active[kind]}.yaml" for kind in ("data", "recipe"))]
    except KeyError as error:
        raise ParameterError(f"{root / 'params.yaml'}: expected a key {error}; add it") from None


def _private(values: Any) -> Iterator[str]:
    """Absolute paths among the values: where a person keeps a file is nobody else's."""
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list):
        for value in values:
            yield from _private(value)
    elif isinstance(values, str) and len(values) > 1 and _on_this_disk(values):
        yield values


def _on_this_disk(path: str) -> bool:
    return path.startswith(("~", "file:", "/")) or PureWindowsPath(path).is_absolute()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            f"{path}: expected the parameters of the run: {error.strerror}; --run names its data/, "
            "beside which they lie"
        ) from None


def _yaml(path: Path) -> dict[str, Any]:
    try:
        found = YAML(typ="safe").load(_text(path))
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{path}: expected YAML, found what is not: {reason}") from None
    if not isinstance(found, dict):
        raise ParameterError(f"{path}: expected keys, found {found!r}")
    return found
