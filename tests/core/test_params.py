import dataclasses
import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import dump_yaml, load_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.errors import ParameterError
from facial_expression.core.params import CLOSED, load, read_yaml
from facial_expression.network.recipe import Recipe
from tests.clones import ROOT
from tests.helpers import one_line


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


def test_a_list_becomes_a_tuple_and_the_whole_is_frozen(tmp_path):
    some = parsed(tmp_path, "train:\n  rate: 1 # a comment\n  sides: [32, 48]\nother: {x: 1}\n")
    assert some == Some(rate=1.0, sides=(32, 48))
    with pytest.raises(dataclasses.FrozenInstanceError):
        some.rate = 2.0  # type: ignore[misc]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12),
    st.sampled_from(["yes", "off", "1e-3", "0o17", "1:30", "~", "=", "<<", " a", "a: b", "#", ""]),
)
KEYS = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@settings(max_examples=50)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_documents_that_dvc_writes_are_read_as_dvc_reads_them(tmp_path_factory, document):
    path = tmp_path_factory.getbasetemp() / "written.yaml"
    dump_yaml(str(path), document)
    assert read_yaml(path) == load_yaml(str(path)) == document


@pytest.mark.parametrize(
    "text",
    [
        *("1e-3", "1E3", "1e+3", "1.e3", ".5", ".5e3", ".5e-3", "-.5", "+1", "0o17", "017", "08"),
        *("0x1F", "0b101", "0b2", "1_000", "1_000.5", "1:30", "1:30.5", ".inf", "-.inf", "1e999"),
        *("yes", "no", "on", "off", "y", "True", "tRUE", "null", "Null", "~", "nUll", "1."),
        *("2020-01-01", "2020-1-1", "1,000", "'1'", "!!int 0o17", "!!str 3", "a:b", "nan"),
    ],
)
def test_scalars_are_those_of_dvc(tmp_path, text):
    path = tmp_path / "some.yaml"
    path.write_text(f"a: {text}\n", encoding="utf-8")
    ours, theirs = read_yaml(path)["a"], load_yaml(str(path))["a"]
    assert (type(ours), ours) == (type(theirs), theirs)


def test_merged_sections_are_those_of_dvc(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("base: &b {k: 1, j: 3}\ntrain: {<<: *b, j: 2}\n", encoding="utf-8")
    assert read_yaml(path)["train"] == load_yaml(str(path))["train"] == {"k": 1, "j": 2}


def test_the_files_of_this_repository_are_read_as_dvc_reads_them():
    paths = [ROOT / "params.yaml", ROOT / "dvc.yaml", *(ROOT / "conf").rglob("*.yaml")]
    for path in [*paths, *(ROOT / "results").glob("*/*.yaml")]:
        assert repr(read_yaml(path)) == repr(load_yaml(str(path))), path


@pytest.mark.parametrize(
    ("file", "override"),
    [("params.yaml", "data=fer2013")]
    + [(f"conf/recipe/{path.name}", "train.seed=17") for path in (ROOT / "conf/recipe").iterdir()],
)
def test_dvc_changes_one_line_of_a_recipe(tmp_path, file, override):
    before = (ROOT / file).read_text(encoding="utf-8")
    copy = tmp_path / Path(file).name
    copy.write_text(before, encoding="utf-8")
    apply_overrides(str(copy), [override])
    after = copy.read_text(encoding="utf-8")
    assert len(after.splitlines()) == len(before.splitlines())
    assert len(set(after.splitlines()) - set(before.splitlines())) == 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("rat: 2", ["unknown parameter 'train.rat'", "2", "'train.rate' is missing"]),  # both
        ("rate: '1'", ["'train.rate'", "valid number", "found '1'"]),
        ("rate: 1, epochs: true", ["'train.epochs'", "valid integer", "found True"]),
        ("rate: 1, epochs: 3.0", ["'train.epochs'", "valid integer", "found 3.0"]),
        ("rate: 1, epochs: 0", ["'train.epochs'", "greater than or equal to 1", "found 0"]),
        ("rate: 1e999", ["'train.rate'", "finite number"]),
        ("rate: .nan", ["'train.rate'", "found nan"]),
        ("rate: null", ["'train.rate'", "valid number", "found None"]),
        ("rate: 1, kind: rms", ["'train.kind'", "'adam' or 'sgd'", "found 'rms'"]),
        ("rate: 1, name: 3", ["'train.name'", "valid string", "found 3"]),
        ("rate: 1, flag: yes", ["'train.flag'", "valid boolean", "found 'yes'"]),  # YAML 1.2
        ("rate: 1, sides: 3", ["'train.sides'", "found 3"]),
        ("rate: 1, sides: [3, a]", ["'train.sides.1'", "valid integer", "found 'a'"]),
        ("rate: 1, name: 2020-01-01", ["'train:'", "date", "quotes"]),
        ("rate: 1, name: !!binary aGk=", ["'train:'", "bytes"]),
        ("rate: 1, 2020-01-01: 1", ["'train:'", "date"]),
        ("rate: 1, rate: 2", ["duplicate key", "rate"]),
        ("rate: [1", ["expected YAML", "line"]),
    ],
)
def test_a_wrong_value_is_one_line_that_names_file_key_and_value(tmp_path, text, parts):
    with pytest.raises(ParameterError, match=one_line(str(tmp_path / "some.yaml"), *parts)):
        parsed(tmp_path, f"train: {{{text}}}")


BAD = ["!thing 3", "\0", "!!python/object:os.system {}", "!!int x", "!!float x", "!!bool maybe"]
BAD += ["!!timestamp x", "2020-13-01", 5000 * "9", "{? [a] : 1}", "{? {a: 1} : 1}"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *((text, "expected a section 'train:'") for text in ("", "- 1", "other: {}")),
        ("train:", "expected a section 'train:' that holds keys, found None"),
        ("train: 3", "expected a section 'train:' that holds keys, found 3"),
        ("train: &a {rate: *a}", "Circular reference"),
        ("---\ntrain: {}\n---\ntrain: {}", "expected a single document"),
        ("train: " + 500 * "[", "recursion"),
        *((f"train: {{rate: {bad}}}", "expected YAML") for bad in BAD),
        ("train: {epochs: 0x" + 5000 * "f" + "}", "another kind of value"),
        ("train: &a [*a]", "expected a section 'train:' that holds keys, found [[...]]"),
        (
            "train: [0x" + 5000 * "f" + "]",
            "expected a section 'train:' that holds keys, found list",
        ),
        ("a: &a " + 9_000 * "x" + "\ntrain: [" + 99 * "*a," + "]", "aliases written out"),
        (
            "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)).replace(
                "*a0", "1"
            )
            + "train: [*a39]",
            "aliases written out",
        ),
        ("#" + 100_000 * "x", "at most 100,000 bytes"),
        ("train: {rate: " + 9_000 * "x" + "}", "xxx..."),
        ("train: {" + "".join(f"k{i}: 1, " for i in range(99)) + "}", "; and 90 more"),
    ],
)
def test_a_wrong_document_is_one_line(tmp_path, text, found):
    with pytest.raises(ParameterError, match=one_line(found)):
        parsed(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", 2**32), ("threads", 100_000), ("epochs", 10**400)]
    + [
        ("augmentation.shift", 1e19),
        ("augmentation.brightness", 256),
        ("augmentation.mixup", 1e308),
    ],
)
def test_a_recipe_that_no_machine_can_follow_is_refused(tmp_path, key, value):
    document = read_yaml(ROOT / "conf/recipe/sample.yaml")
    *sections, name = key.split(".")
    place = document["train"]
    for section in sections:
        place = place[section]
    place[name] = value
    path = tmp_path / "some.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ParameterError, match=rf"'train\.{key}': Input should be less than"):
        load(path, "train", Recipe)


def test_a_missing_file_a_folder_and_bytes_that_are_no_text(tmp_path):
    with pytest.raises(ParameterError, match=r"none\.yaml: No such file"):
        load(tmp_path / "none.yaml", "train", Some)
    with pytest.raises(ParameterError, match="directory"):
        load(tmp_path, "train", Some)
    (tmp_path / "latin.yaml").write_bytes(b"train: {name: \xe9t\xe9}")
    with pytest.raises(ParameterError, match=r"latin\.yaml: expected YAML"):
        load(tmp_path / "latin.yaml", "train", Some)
