"""Small tables of pictures for the tests of the index."""

from collections.abc import Iterable

import pandas as pd
from hypothesis import strategies as st

from facial_expression.index import audit

CLASSES = ("angry", "happy", "sad")
SPLITS = ("train", "val", "test")


def pictures(paths: Iterable[str], **columns) -> pd.DataFrame:
    """Rows as `table.scan` makes them, each with its own pixels unless `columns` says otherwise."""
    paths = list(paths)
    parts = [path.split("/") for path in paths]
    facts = {
        "path": paths,
        "class": [part[1] for part in parts],
        "split": [part[0] for part in parts],
        "sha256": paths,
        **{"width": 48, "height": 48, "mode": "L", "mean": 100.0, "std": 40.0},
        "dropped_because": "",
    } | columns
    return pd.DataFrame(facts, columns=list(facts))


def grouped(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(duplicate_of=audit.duplicate_of(table))


def pairs(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """Near-duplicates: path, partner, score."""
    return pd.DataFrame(rows, columns=["path", "partner", "score"])


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Some pictures, duplicates and blanks among them; some cannot be decoded."""
    kinds = st.tuples(
        st.sampled_from(SPLITS), st.sampled_from(CLASSES), st.integers(0, 9), st.booleans()
    )
    rows = draw(st.lists(kinds, min_size=1, max_size=25))
    return pictures(
        [f"{split}/{label}/{i:03d}.png" for i, (split, label, *_) in enumerate(rows)],
        sha256=[f"{content:064d}" if content else "" for *_, content, _ in rows],
        std=[0.9 if blank and content else 40.0 for *_, content, blank in rows],
        dropped_because=["" if content else "undecodable: x" for *_, content, _ in rows],
    )


@st.composite
def audited(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A table with its duplicates, and near-duplicates at random; its findings."""
    table = grouped(draw(tables()))
    seen = audit.comparable(table)["path"].tolist()
    places = st.integers(0, max(len(seen) - 1, 0))
    drawn = draw(st.sets(st.tuples(places, places), max_size=8))
    near = pairs(*((seen[j], seen[i], 0.9) for i, j in sorted(drawn) if i < j))
    return table, audit.findings(table, near)
