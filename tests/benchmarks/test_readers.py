"""What was found by fuzzing stays mended; properties of the readers of texts."""

import csv
import io
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.readers import readers, tried
from facial_expression.inference import network
from facial_expression.network.backend import configure
from tests.clones import ROOT

CORPUS = ROOT / "tests/corpus"
ROWS = 30  # of a table that are changed; more take longer

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["NaN", "1e999", "-1", "9" * 400, "\0", "=1", "../x"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=6
)


@pytest.fixture(scope="module")
def table(pulled, tmp_path_factory):
    """The readers, on a copy of the sample's run."""
    configure("tensorflow", 2)
    return readers(pulled / "data", tmp_path_factory.mktemp("readers") / "run")


def ends(reader, file, data):
    """How the reader ends when the file holds these bytes; the file is put back."""
    whole = file.read_bytes()
    file.write_bytes(data)
    try:
        return tried(reader, file)
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("name", sorted(f"{p.parent.name}/{p.name}" for p in CORPUS.glob("*/*")))
def test_what_was_found_stays_mended(table, name, monkeypatch):
    monkeypatch.setattr(network, "LONGEST", 0.5)
    reader = table[name.partition("/")[0]]
    file = reader.named(name.partition(".")[2])
    assert ends(reader, file, (CORPUS / name).read_bytes()) in ("read", "refused")


@st.composite
def cells(draw, data: bytes) -> bytes:
    """A table with other cells, a longer, a shorter, a second or an arbitrary row."""
    rows = list(csv.reader(io.StringIO(data.decode())))[:ROWS]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.sampled_from(rows))
        match draw(st.sampled_from(["cell", "cell", "more", "less", "twice", "any"])):
            case "cell" if row:
                row[draw(st.integers(0, len(row) - 1))] = draw(TEXTS)
            case "more":
                row.append(draw(TEXTS))
            case "less":
                del row[-1:]
            case "twice":
                rows.append(list(row))
            case "any":
                rows.append(draw(st.lists(TEXTS, max_size=12)))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", escapechar="\\").writerows(rows)
    return out.getvalue().encode(errors="surrogatepass")


@st.composite
def leaves(draw, document):
    """A document with another value, key or type at one to three places."""
    for _ in range(draw(st.integers(1, 3))):
        holder, key, value = None, None, document
        while isinstance(value, dict | list) and value and draw(st.integers(0, 9)):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            holder, key = value, draw(st.sampled_from(keys))
            value = holder[key]
        if holder is None:
            return draw(VALUES)
        if isinstance(holder, dict) and not draw(st.integers(0, 4)):
            holder[draw(TEXTS)] = holder.pop(key)
        else:
            holder[key] = draw(VALUES)
    return document


@st.composite
def changed(draw, name: str, data: bytes) -> bytes:
    """Another content of a .csv, .json or .yaml file."""
    match name.rpartition(".")[2]:
        case "csv":
            same = cells(data)
        case "json":
            same = leaves(json.loads(data)).map(lambda value: json.dumps(value).encode())
        case "yaml":
            same = leaves(yaml.safe_load(data)).map(lambda v: yaml.safe_dump(v, encoding="utf-8"))
    return draw(same | same | same | st.binary(max_size=99) | st.text().map(str.encode))


@pytest.mark.parametrize(
    "name",
    [*("fetch", "index", "export", "train", "plot", "sweep"), *("people", "exclude", "votes")]
    + ["table", "card", "classes", "temperature"],
)
@settings(max_examples=25)
@given(data=st.data())
def test_any_text_is_read_or_refused_in_one_line(table, name, data):
    reader = table[name]
    file = data.draw(st.sampled_from(reader.files))
    assert ends(reader, file, data.draw(changed(file.name, file.read_bytes()))) in (
        "read",
        "refused",
    )
