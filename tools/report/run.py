"""What the stages wrote of one run, as a report needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from ruamel.yaml import YAML, YAMLError

from facial_expression.core.errors import DatasetError, ParameterError
from tools.report import expected
from tools.report.expected import WRITTEN_BY
from tools.report.pictures import Picture, embed

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
        DatasetError: a file of a stage is missing or torn; the message names the stage.
        ParameterError: params.yaml or a file that it names is missing or no YAML.
    """
    expected.check_complete(folder)
    facts = {
        Path(name).stem: expected.facts(folder, name)
        for name in WRITTEN_BY
        if name.endswith(".json")
    }
    tables = {
        Path(name).stem: expected.table(folder, name)
        for name in WRITTEN_BY
        if name.endswith(".csv")
    }
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
        card=public(expected.text(folder, "export/model_card.md")),
        plots={
            Path(name).stem: embed(folder / name) for name in WRITTEN_BY if name.endswith(".png")
        },
        settings=settings,
        parameters={name: public(_text(root / name)) for name in settings},
        lock=_lock(root / "dvc.lock"),
    )


def _lock(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = _yaml(path)
    except ParameterError as error:
        raise DatasetError(f"{error}; run dvc repro") from None
    expected.check_lock(path, found)
    return found


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
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path}: expected a text in UTF-8, found {error}") from None


def _yaml(path: Path) -> dict[str, Any]:
    try:
        found = YAML(typ="safe").load(_text(path))
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{path}: expected YAML, found what is not: {reason}") from None
    if not isinstance(found, dict):
        raise ParameterError(f"{path}: expected keys, found {found!r}")
    return found
