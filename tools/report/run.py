"""What the stages wrote of one run, checked, as a report needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import read_json, read_text
from facial_expression.core.tables import read_table
from facial_expression.fetch.download import without_credentials
from tools.beside import active_parameters, on_this_disk
from tools.report.pictures import Picture, embed

CARD = "export/model_card.md"
TABLES: dict[str, dict[str, type]] = {
    "index/audit.csv": {"path": str, "kind": str, "partner": str, "score": float},
    "index/class_counts.csv": {"class": str, "split": str, "count": int},
    "model/history.csv": dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), float),
    "evaluation/per_class.csv": {"class": str, "support": int}
    | dict.fromkeys(("precision", "recall", "f1"), float),
    "evaluation/confusion.csv": {"actual": str, "predicted": str},
    "evaluation/confused_pairs.csv": {"actual": str, "predicted": str}
    | {"count": int, "share_of_actual": float},
}
"""The tables that a report reads, with the types of the columns that it shows."""
MAY_BE_EMPTY = ("index/audit.csv", "evaluation/confused_pairs.csv")
PLOTS = (
    "curves", "confusion", "confused_pairs", "reliability", "hardest_mistakes", "predictions",
    "saliency", "sample_sheet", "audit_sheet",
)  # fmt: skip
SAMPLE = "a1080b95698bd712ff9c203168f9e7bf97236dcdecd994971f0cc187687ef414"
"""sha256 of the drawn faces, as conf/data/sample.yaml pins it."""
ENTRIES = {
    "raw/source.json": ("sha256", "licence"),
    "index/audit.json": ("pictures", "used", "dropped", "findings"),
    "evaluation/scores.json": ("protocol", "reported_split", "classes_absent", "calibration")
    + ("selective", "model", "versions"),
    "export/parity.json": ("split", "n", "decisive", "other_class", "largest_difference"),
}
"""The JSON files that a report reads, with the entries that it shows."""
STAGES = {
    "raw": "fetch",
    "index": "index",
    "model": "train",
    "evaluation": "evaluate",
    "plots": "plot",
    "export": "export",
}
"""The stage that writes a folder of data/."""


@dataclass(frozen=True)
class Run:
    """One run; every value as the stage wrote it.

    Attributes:
        tables: a DataFrame by the name of the CSV file without its suffix.
        source, audit, metrics, parity: the JSON files; metrics are scores.json.
        card: model_card.md.
        plots: the figures by name.
        parameters: the texts of params.yaml and the two files that it names, by their path.
    """

    tables: Mapping[str, pd.DataFrame]
    source: Mapping[str, Any]
    audit: Mapping[str, Any]
    metrics: Mapping[str, Any]
    parity: Mapping[str, Any]
    card: str
    plots: Mapping[str, Picture]
    parameters: Mapping[str, str]

    @property
    def split(self) -> str:
        """The reported split."""
        split: str = self.metrics["reported_split"]
        return split

    @property
    def scores(self) -> Mapping[str, float]:
        """The plain scores of the reported split."""
        scores: Mapping[str, float] = self.metrics[self.split]
        return scores

    @property
    def synthetic(self) -> bool:
        """Whether its pictures are this pipeline's own drawings."""
        return bool(self.source["sha256"] == SAMPLE)


def read(folder: Path) -> Run:
    """Read the run whose `data/` is `folder`; params.yaml and conf/ lie beside it.

    Raises:
        DatasetError: a file of a stage is missing or damaged; the message names the stage.
        ParameterError: params.yaml or a file that it names is missing or no YAML.
    """
    root = folder.parent
    if not folder.is_dir() or not (root / "params.yaml").is_file():
        raise DatasetError(
            f"{folder}: expected the data/ of a run with params.yaml beside it; mend --run"
        )
    values = active_parameters(root)
    private = sorted(_private(list(values.values())), key=len, reverse=True)

    def public(text: str) -> str:
        for path in private:
            for written in (path, path.replace("\\", "\\\\")):  # the other one in double quotes
                whole = rf"(?<![\w.\\-]){re.escape(written)}(?![\w-])"
                text = re.sub(whole, "a local copy", text)
        return without_credentials(text)

    read = [_json(folder, name) for name in ENTRIES]
    return Run(
        tables={
            Path(name).stem: read_table(
                folder / name, columns, f"the {_stage(name)} stage", name in MAY_BE_EMPTY
            )
            for name, columns in TABLES.items()
        },
        **dict(zip(("source", "audit", "metrics", "parity"), read, strict=True)),
        card=public(read_text(folder / CARD, f"the {_stage(CARD)} stage")),
        plots={name: embed(folder / f"plots/{name}.png") for name in PLOTS},
        parameters={name: public((root / name).read_text("utf-8", "replace")) for name in values},
    )


def _json(folder: Path, name: str) -> dict[str, Any]:
    found = read_json(folder / name, f"the {_stage(name)} stage")
    lacking = [key for key in ENTRIES[name] if not isinstance(found, dict) or key not in found]
    if lacking:
        raise _damaged(folder, name, f"expected an entry {lacking[0]}, found none")
    return dict(found)


def _damaged(folder: Path, name: str, found: str) -> DatasetError:
    return DatasetError(f"{folder / name}: {found}; run the {_stage(name)} stage again (dvc repro)")


def _stage(name: str) -> str:
    return STAGES[name.partition("/")[0]]


def _private(values: Any) -> Iterator[str]:
    """Absolute paths among the values: where a person keeps a file is nobody else's business."""
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from _private(value)
    elif isinstance(values, str) and len(values) > 1 and on_this_disk(values):
        yield values
