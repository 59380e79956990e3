from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML

from facial_expression.core.errors import ParameterError
from facial_expression.core.params import CLOSED, load


@dataclass(frozen=True, config=CLOSED)
class Some:
    rate: Annotated[float, Field(gt=0)]
    epochs: Annotated[int, Field(ge=1)] = 3
    kind: Literal["adam", "sgd"] = "adam"
    name: str = ""
    flag: bool = False
    sides: tuple[int, ...] = ()


def parsed(folder: Path, text: str) -> Some:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, "train", Some)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("0.001", 0.001), ("1.0e-3", 0.001), ("2", 2.0), ("1_000.5", 1000.5)],
)
def test_numbers_are_yaml_1_2(tmp_path: Path, text: str, value: float) -> None:
    assert parsed(tmp_path, f"train: {{rate: {text}}}").rate == value


def test_a_list_becomes_a_tuple_and_the_whole_is_frozen(tmp_path: Path) -> None:
    some = parsed(tmp_path, "train:\n  rate: 1 # a comment\n  sides: [32, 48]\nother: {x: 1}\n")
    assert some == Some(rate=1.0, sides=(32, 48))
    with pytest.raises(dataclasses.FrozenInstanceError):
        some.rate = 2.0  # type: ignore[misc]


@given(
    rate=st.floats(min_value=1e-9, max_value=1e9),
    epochs=st.integers(1, 10**6),
    flag=st.booleans(),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20),
    sides=st.lists(st.integers(-5, 5), max_size=4),
)
def test_what_ruamel_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    rate: float,
    epochs: int,
    flag: bool,
    name: str,
    sides: list[int],
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.yaml"
    values = {"rate": rate, "epochs": epochs, "flag": flag, "name": name, "sides": sides}
    YAML(typ="safe").dump({"train": values}, path)
    assert load(path, "train", Some) == Some(
        rate=rate, epochs=epochs, flag=flag, name=name, sides=tuple(sides)
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("rate: 1, rat: 2", ["unknown parameter 'train.rat'", "2"]),
        ("epochs: 3", ["parameter 'train.rate' is missing"]),
        ("rate: '1'", ["'train.rate'", "valid number", "found '1'"]),
        ("rate: 1, epochs: true", ["'train.epochs'", "valid integer", "found True"]),
        ("rate: 1, epochs: 3.0", ["'train.epochs'", "valid integer", "found 3.0"]),
        ("rate: 1, epochs: 0", ["'train.epochs'", "greater than or equal to 1", "found 0"]),
        ("rate: 0", ["'train.rate'", "greater than 0", "found 0"]),
        ("rate: .inf", ["'train.rate'", "finite number", "found inf"]),
        ("rate: 1e999", ["'train.rate'", "finite number"]),
        ("rate: .nan", ["'train.rate'", "found nan"]),
        ("rate: null", ["'train.rate'", "valid number", "found None"]),
        ("rate: 1, kind: rms", ["'train.kind'", "'adam' or 'sgd'", "found 'rms'"]),
        ("rate: 1, name: 3", ["'train.name'", "valid string", "found 3"]),
        ("rate: 1, flag: 1", ["'train.flag'", "valid boolean", "found 1"]),
        ("rate: 1, flag: yes", ["'train.flag'", "valid boolean", "found 'yes'"]),  # YAML 1.2
        ("rate: 1, sides: 3", ["'train.sides'", "found 3"]),
        ("rate: 1, sides: [3, a]", ["'train.sides.1'", "valid integer", "found 'a'"]),
        ("rate: 1, name: 2020-01-01", ["'train:'", "date", "quotes"]),
        ("rate: 1, name: !!binary aGk=", ["'train:'", "bytes"]),
        ("rate: 1, 2020-01-01: 1", ["'train:'", "date"]),
        ("rate: 1, rate: 2", ["duplicate key", "rate"]),
        ("rate: !thing 3", ["expected YAML", "!thing"]),
        ("rate: [1", ["expected YAML", "line"]),
    ],
)
def test_a_wrong_value_is_one_line_that_names_file_key_and_value(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    with pytest.raises(ParameterError) as caught:
        parsed(tmp_path, f"train: {{{text}}}")
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "some.yaml"))
    assert "\n" not in message
    assert all(part in message for part in parts), message


def test_every_fault_of_a_section_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"train\.epochs.*train\.what"):
        parsed(tmp_path, "train: {rate: 1, epochs: -1, what: 2}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "expected a section 'train:', found none"),
        ("- 1", "expected a section 'train:', found none"),
        ("other: {}", "expected a section 'train:', found none"),
        ("train:", "expected 'train:' to hold keys, found None"),
        ("train: 3", "expected 'train:' to hold keys, found 3"),
        ("train: &a {rate: *a}", "Circular reference"),
        ("---\ntrain: {}\n---\ntrain: {}", "expected a single document"),
        ("train: {rate: \0}", "expected YAML"),
    ],
)
def test_a_wrong_document_is_one_line(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parsed(tmp_path, text)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"none\.yaml: no such parameter file"):
        load(tmp_path / "none.yaml", "train", Some)
    with pytest.raises(ParameterError, match="directory"):
        load(tmp_path, "train", Some)
    (tmp_path / "latin.yaml").write_bytes(b"train: {name: \xe9t\xe9}")
    with pytest.raises(ParameterError, match=r"latin\.yaml: expected YAML"):
        load(tmp_path / "latin.yaml", "train", Some)
