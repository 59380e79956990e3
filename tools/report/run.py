"""What the stages wrote of one run, checked, as a report needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.params import read_yaml
from facial_expression.core.tables import read_table
from facial_expression.export.card import AVERAGES, SPLITS
from facial_expression.fetch.download import without_credentials
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
STAGES = {
    "raw": "fetch",
    "index": "index",
    "model": "train",
    "evaluation": "evaluate",
    "plots": "plot",
    "export": "export",
}
"""The stage that writes a folder of data/."""


def _complete(scores: dict[str, int | float]) -> dict[str, int | float]:
    bounds = {name.removesuffix("_low") for name in scores if name.endswith("_low")}
    needed = ["n", "accuracy", *(f"{name}_{end}" for name in bounds | {"accuracy"}
                                 for end in ("low", "high"))]  # fmt: skip
    if lacking := [name for name in needed if name not in scores]:
        raise ValueError(f"lacks {', '.join(lacking)}")
    if scores["n"] <= 0:
        raise ValueError("n is not above 0")
    return scores


Scores = Annotated[dict[str, int | float], AfterValidator(_complete)]
"""Scores of a split by name, some with `_low` and `_high`; `n` pictures were scored."""


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class Source(_Closed):
    """raw/source.json."""

    sha256: str
    licence: str


class Audit(_Closed):
    """index/audit.json."""

    protocol: str
    pictures: int
    used: dict[str, int]
    dropped: dict[str, int]
    findings: dict[str, int]


class Measures(_Closed):
    """Calibration, before or after the temperature."""

    ece_equal_width: float
    ece_equal_mass: float
    log_loss: float
    brier: float


class Calibration(_Closed):
    """The temperature, and what it changes."""

    temperature: float
    fitted_on: str
    before: Measures
    after: Measures


class Selective(_Closed):
    """Accuracy of the surest answers, by their share in percent."""

    accuracy_at_50: float
    accuracy_at_80: float
    accuracy_at_90: float


class Network(_Closed):
    """Size of the network: side of a picture in pixels, multiply-accumulates a picture."""

    parameters: int
    macs: int
    side: int


class Metrics(_Closed):
    """evaluation/scores.json; `scores` holds its entries `test`, `test_leak_free`, ..."""

    protocol: str
    reported_split: Literal["train", "val", "test"]
    classes_absent: dict[str, list[str]]
    attributes: list[dict[str, Any]] = []
    scores: dict[str, Scores]
    calibration: Calibration
    selective: Selective
    model: Network
    versions: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, found: dict[str, Any]) -> dict[str, Any]:
        names = [split + how for split in SPLITS for how in (*AVERAGES, "_leak_free")]
        return {**found, "scores": {name: found[name] for name in names if name in found}}

    @model_validator(mode="after")
    def _scored(self) -> Metrics:
        if self.reported_split not in self.scores:
            raise ValueError(f"lacks the scores of its reported split {self.reported_split}")
        return self


class Parity(_Closed):
    """export/parity.json."""

    split: str
    n: int
    decisive: int
    other_class: int
    largest_difference: float


File = TypeVar("File", bound=BaseModel)


@dataclass(frozen=True)
class Run:
    """One run; every value as the stage wrote it.

    Attributes:
        tables: a DataFrame by the name of the CSV file without its suffix.
        source, audit, metrics, parity: the JSON files.
        card: model_card.md.
        plots: the figures by name.
        parameters: the texts of params.yaml and the two files that it names, by their path.
    """

    tables: Mapping[str, pd.DataFrame]
    source: Source
    audit: Audit
    metrics: Metrics
    parity: Parity
    card: str
    plots: Mapping[str, Picture]
    parameters: Mapping[str, str]

    @property
    def split(self) -> str:
        """The reported split."""
        return self.metrics.reported_split

    @property
    def scores(self) -> Mapping[str, float]:
        """The plain scores of the reported split."""
        return self.metrics.scores[self.split]

    @property
    def synthetic(self) -> bool:
        """Whether its pictures are this pipeline's own drawings."""
        return self.source.sha256 == SAMPLE


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
    values = _parameters(root)
    private = sorted(_private(list(values.values())), key=len, reverse=True)

    def public(text: str) -> str:
        for path in private:
            text = text.replace(path, "a local copy")
        return without_credentials(text)

    return Run(
        tables={
            Path(name).stem: read_table(
                folder / name, columns, f"the {_stage(name)} stage", name in MAY_BE_EMPTY
            )
            for name, columns in TABLES.items()
        },
        source=_json(folder, "raw/source.json", Source),
        audit=_json(folder, "index/audit.json", Audit),
        metrics=_json(folder, "evaluation/scores.json", Metrics),
        parity=_json(folder, "export/parity.json", Parity),
        card=public(_read(folder, CARD)),
        plots={name: embed(folder / f"plots/{name}.png") for name in PLOTS},
        parameters={name: public((root / name).read_text("utf-8", "replace")) for name in values},
    )


def _json(folder: Path, name: str, kind: type[File]) -> File:
    try:
        return kind.model_validate_json(_read(folder, name))
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(part) for part in first["loc"] if part != "scores")
        what = f"entry {entry}: {first['msg']}" if entry else first["msg"]
        raise _damaged(folder, name, f"{what}, found {first['input']!r:.40}") from None


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise _damaged(folder, name, f"expected a text in UTF-8: {error}") from None


def _damaged(folder: Path, name: str, found: str) -> DatasetError:
    return DatasetError(f"{folder / name}: {found}; run the {_stage(name)} stage again (dvc repro)")


def _stage(name: str) -> str:
    return STAGES[name.partition("/")[0]]


def _parameters(root: Path) -> dict[str, Any]:
    """What stands in params.yaml and in the two files that it names, by their path."""
    active = read_yaml(root / "params.yaml")
    for kind in ("data", "recipe"):
        if not isinstance(active, dict) or kind not in active:
            raise ParameterError(f"{root / 'params.yaml'}: expected a key '{kind}'; add it")
    named = [f"conf/{kind}/{active[kind]}.yaml" for kind in ("data", "recipe")]
    return {"params.yaml": active, **{name: read_yaml(root / name) for name in named}}


def _private(values: Any) -> Iterator[str]:
    """Absolute paths among the values: where a person keeps a file is nobody else's business."""
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from _private(value)
    elif isinstance(values, str) and len(values) > 1 and _on_this_disk(values):
        yield values


def _on_this_disk(path: str) -> bool:
    return path.startswith(("~", "file:", "/")) or PureWindowsPath(path).is_absolute()
