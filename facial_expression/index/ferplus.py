"""FER+ labels: ten votes a picture, from their table to its class and its share of each class.

Barsoum et al. 2016, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution", arXiv:1608.01041.  The rules are those of `_process_data` and `load_folders` in
github.com/microsoft/FERPlus, src/ferplus.py at commit 888f98d, written anew: a rule keeps the votes
of a picture that count; the column with most of them is the class.

Two forms of the table are read; the header tells which:

- `fer2013new.csv` as published: Usage, Image name, ten counts, in the row order of fer2013.csv.
  It fits pictures that `fetch` made from fer2013.csv, whose names hold their row (Training_0.pgm).
- a table joined on file names: path, ten counts, and any other column.  A folder copy of FER2013
  needs this form, because its file names say nothing about the row.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.params import CLOSED, pinned
from facial_expression.core.tables import read_table

COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),  # NF: not a face
)
PUBLISHED = ("Usage", "Image name", *COLUMNS)
JOINED = ("path", *COLUMNS)
CLASSES = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""FER2013's names of the first eight columns of votes, and the eighth class, which it lacks."""
NAMES = np.array([*CLASSES, "unknown", "not a face"])
UNKNOWN = len(CLASSES)  # the first column that is not a class

Votes = NDArray[np.int64]
"""(N, 10), counts in the order of COLUMNS."""
Filter = Literal["none", "published"]


@dataclass(frozen=True, config=CLOSED)
class Labels:
    """Section `index.labels` of conf/data/*.yaml."""

    source: Literal["folders", "ferplus"]  # the folder that a picture is in, or its votes
    votes: str  # path of fer2013new.csv or of a table joined on file names; empty with folders
    sha256: str  # of that file, so that DVC notices a change of it
    targets: Literal["majority", "distribution"]  # one class a picture, or the votes' shares
    classes: Literal[7, 8]  # 7 are FER2013's, 8 add contempt
    filter: Filter  # of the FER+ repository; none: the column with most votes, first of equals

    def described(self) -> dict[str, Any]:
        """What audit.json says about the labels."""
        rules = {name: getattr(self, name) for name in ("targets", "classes", "filter")}
        ferplus = {"ferplus": {"votes_sha256": self.sha256, **rules}}
        return {"labels": self.source} | (ferplus if self.source == "ferplus" else {})


def relabelled(table: pd.DataFrame, rules: Labels) -> pd.DataFrame:
    """The index with FER+ classes, and a column votes if targets are distributions.

    A picture without a label has the class "", and `dropped_because` says why, in every split: val
    and test of this label set are smaller.

    Raises:
        ParameterError: the table of votes is not named, missing, or not the pinned one.
        DatasetError: it is not a table of votes for these pictures.
    """
    if not rules.votes:
        what = "the path of fer2013new.csv or of a table joined on file names"
        remedy = "set it, or set index.labels.source to folders"
        raise ParameterError.expected("index.labels.votes", what, "''", remedy)
    remedy = "get fer2013new.csv from github.com/microsoft/FERPlus"
    path = pinned(rules.votes, rules.sha256, "index.labels.votes", remedy)
    named = labelled(read_votes(path, table["path"]), rules, table["split"] == "train")
    dropped = table["dropped_because"].mask(table["dropped_because"] == "", named["reason"])
    out = table.assign(**{"class": named["class"], "dropped_because": dropped})
    if rules.targets == "distribution":
        out["votes"] = named["votes"].where(dropped == "", "")
    return out


def labelled(votes: Votes, rules: Labels, train: pd.Series) -> pd.DataFrame:
    """Columns class, reason and votes of N pictures; either class or reason is "".

    As in the FER+ repository (src/train.py), distributions are for training only: under filter
    `published`, val and test are labelled by the majority whatever the targets.

    Args:
        votes: (N, 10); all zero: FER+ publishes none.
        rules: how to label.
        train: bool (N,), whether a picture is in train; its index is that of the result.
    """
    kept = votes
    if rules.filter == "published":
        kept = majority(votes)
        if rules.targets == "distribution":
            kept = np.where(train.to_numpy()[:, None], distribution(votes), kept)
    top = kept.argmax(axis=1)
    reason = np.where(top < rules.classes, "", NAMES[top])
    reason = np.where(kept.any(axis=1), reason, "no majority")
    reason = np.where(votes.any(axis=1), reason, "no votes")
    text = [
        " ".join(f"{name}:{count}" for name, count in zip(CLASSES, row, strict=False) if count)
        for row in kept[:, : rules.classes].tolist()
    ]
    named = {"class": np.where(reason == "", NAMES[top], ""), "reason": reason, "votes": text}
    return pd.DataFrame(named, index=train.index)


def majority(votes: Votes) -> Votes:
    """Votes (N, 10) of the column that has more than half of them; all zero if none has.

    Single votes are outliers and do not count (mode `majority` of the FER+ repository).
    """
    counted = np.where(votes > 1, votes, 0)
    return np.where(2 * counted > counted.sum(axis=1, keepdims=True), counted, 0)


def distribution(votes: Votes) -> Votes:
    """Votes (N, 10) of the few classes that hold most of them; all zero if they are too spread.

    Single votes are outliers and do not count.  Columns are taken by falling votes, equal ones
    together, until three quarters of the votes or three columns are taken, or `unknown` or `NF`
    comes, which counts only if nothing was taken before or beside it.  What was taken must be more
    than half of the votes, and at most three columns (mode `crossentropy` of the FER+ repository).
    """
    counted = np.where(votes > 1, votes, 0)
    total = counted.sum(axis=1, keepdims=True)
    larger = counted[:, None, :] > counted[:, :, None]  # (N, 10, 10): column k has more than j
    before = np.einsum("njk,nk->nj", larger, counted)
    taken = (counted > 0) & (4 * before < 3 * total) & (larger.sum(axis=2) < 3)
    taken &= ~larger[:, :, UNKNOWN:].any(axis=2)
    taken[:, UNKNOWN:] &= ~taken[:, :UNKNOWN].any(axis=1, keepdims=True)
    taken[:, -1] &= ~taken[:, UNKNOWN]
    kept = np.where(taken, counted, 0)
    clear = (2 * kept.sum(axis=1) > total[:, 0]) & (taken.sum(axis=1) <= 3)
    return np.where(clear[:, None], kept, 0)


def read_votes(path: Path, pictures: pd.Series) -> Votes:
    """The votes (N, 10) of N pictures, from a table of either form.

    Args:
        path: the table.
        pictures: N member paths of images.zip.  One that FER+ publishes no votes for (not in the
            table, no image name, or empty counts) gets zeros.

    Raises:
        DatasetError: the file is not such a table, or none of its rows belongs to these pictures.
    """
    table = read_table(path, {}, empty=True)
    if published := tuple(table) == PUBLISHED:
        keys = table["Usage"] + "_" + table.index.astype(str)  # Training_0
        wanted = pictures.str.extract(r"/(\w+)\.pgm$")[0]
        table = table.assign(
            **{name: table[name].mask(table["Image name"] == "", "") for name in COLUMNS}
        )
    elif set(JOINED) <= set(table):
        keys, wanted = table["path"], pictures
    else:
        what = f"the columns {','.join(PUBLISHED)} (fer2013new.csv) or {','.join(JOINED)} (joined)"
        remedy = "name one of these tables in index.labels.votes"
        raise DatasetError.expected(path, what, repr(",".join(table)[:120]), remedy)
    table = table[list(COLUMNS)].set_axis(keys)[keys.isin(wanted).to_numpy()]
    if (twice := table.index.duplicated()).any():
        raise DatasetError(f"{path}: {table.index[twice][0]} is there twice; keep one row")
    lost = ~wanted.isin(table.index)
    if lost.all() or (published and lost.any()):
        what = f"rows for pictures such as {pictures[lost].iloc[0]!r}"
        own = "fetch fer2013.csv, whose rows these are (Training_0.pgm the first), or " * published
        remedy = f"{own}name a table joined on these file names"
        raise DatasetError.expected(path, what, "none", remedy)
    cells = table.reindex(wanted).fillna("")
    listed = (cells != "").any(axis=1)
    right = cells.apply(lambda column: column.str.fullmatch(r"\s*[0-9]{1,9}\s*")).all(axis=1)
    if (wrong := listed & ~right).any():
        where, found = f"{path}: {cells.index[wrong][0]}", ",".join(cells[wrong].iloc[0])[:80]
        what = f"{len(COLUMNS)} counts of votes"
        raise DatasetError.expected(where, what, repr(found), "get a whole table")
    return cells.where(listed, "0", axis=0).astype("int64").to_numpy()
