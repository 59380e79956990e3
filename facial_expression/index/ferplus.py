"""FER+ labels: from ten votes a picture to its class and its share of each class.

Barsoum et al. 2016, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution", arXiv:1608.01041.  The published rules are those of `_process_data` and
`load_folders` in github.com/microsoft/FERPlus, src/ferplus.py at commit 888f98d, written anew: a
rule turns the ten counts of a picture into the votes that count; their largest names the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from pydantic.dataclasses import dataclass

from facial_expression.core.params import CLOSED
from facial_expression.index.table import Row
from facial_expression.index.votes import Votes

CLASSES = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""FER2013's names of the first eight columns of votes, and the eighth class, which it lacks."""
Filter = Literal["none", "published"]
UNKNOWN = 8  # the first column that is no class
OTHERS = {7: "contempt", 8: "unknown", 9: "not a face"}  # why a picture leaves, by its top column


@dataclass(frozen=True, config=CLOSED)
class Labels:
    """Section `index.labels` of conf/data/*.yaml.

    Attributes:
        source: `folders` labels a picture by the folder that it lies in, `ferplus` by its votes.
        votes: path of fer2013new.csv or of a table joined on file names; empty with folders.
        sha256: of that file, so that another file there is noticed.
        targets: `majority` trains on one class a picture, `distribution` on the votes' shares.
        classes: 7 are FER2013's, 8 add contempt.
        filter: `published` follows the rules of the FER+ repository, `none` takes the most voted
            of all ten columns, the first one of equals.
    """

    source: Literal["folders", "ferplus"]
    votes: str
    sha256: str
    targets: Literal["majority", "distribution"]
    classes: Literal[7, 8]
    filter: Filter

    def described(self) -> dict[str, Any]:
        """What audit.json says about the labels."""
        if self.source == "folders":
            return {"labels": self.source}
        rules = {"targets": self.targets, "classes": self.classes, "filter": self.filter}
        return {"labels": self.source, "ferplus": {"votes_sha256": self.sha256, **rules}}


FOLDERS = Labels("folders", "", "", "majority", 7, "published")


class Label(NamedTuple):
    """The class of a picture and the votes for each class, or the reason why it has none."""

    name: str
    votes: Votes
    reason: str


def majority(votes: Votes) -> Votes:
    """The votes of the column that has more than half of them; all zero if none has.

    Single votes are outliers and do not count (mode `majority` of the FER+ repository).

    >>> majority((1, 5, 3, 0, 0, 0, 0, 0, 1, 0))
    (0, 5, 0, 0, 0, 0, 0, 0, 0, 0)
    """
    counted = _without_single(votes)
    top = max(counted)
    return _only(counted, [counted.index(top)] if 2 * top > sum(counted) else [])


def distribution(votes: Votes) -> Votes:
    """The votes of the few classes that hold most of them; all zero where they are too spread.

    Single votes are outliers and do not count.  Columns are taken by falling votes, equal ones
    together, until three quarters of the votes or three columns are taken, or `unknown` or `NF`
    comes, which counts only if nothing came before or beside it.  What was taken must be more than
    half of the votes, and at most three columns (mode `crossentropy` of the FER+ repository).

    >>> distribution((4, 0, 3, 1, 0, 0, 0, 0, 2, 0))
    (4, 0, 3, 0, 0, 0, 0, 0, 0, 0)
    """
    counted = _without_single(votes)
    total, passed, taken = sum(counted), 0, list[int]()
    for level in sorted(set(counted) - {0}, reverse=True):
        if 4 * passed >= 3 * total or len(taken) >= 3:
            break
        equal = [column for column, count in enumerate(counted) if count == level]
        classes = [column for column in equal if column < UNKNOWN]
        taken += classes
        passed += level * len(classes)
        if classes != equal:
            taken = taken or equal[:1]
            break
    kept = _only(counted, taken)
    return kept if 2 * sum(kept) > total and len(taken) <= 3 else _only(counted, [])


def label(votes: Votes | None, rules: Labels, split: str) -> Label:
    """Class and votes for each class of one picture; None means that FER+ publishes no votes.

    As in the FER+ repository (src/train.py), distributions are for training only: under filter
    `published`, val and test are labelled by the majority whatever the targets.
    """
    if not votes or not any(votes):
        return Label("", (), "no votes")
    kept = votes
    if rules.filter == "published":
        spread = rules.targets == "distribution" and split == "train"
        kept = distribution(votes) if spread else majority(votes)
    if not any(kept):
        return Label("", (), "no majority")
    top = kept.index(max(kept))
    if top >= rules.classes:
        return Label("", (), OTHERS[top])
    return Label(CLASSES[top], kept[: rules.classes], "")


def relabelled(rows: Sequence[Row], rules: Labels, votes: Mapping[str, Votes]) -> list[Row]:
    """The rows with FER+ classes; one without a label gets no class and `dropped_because` says why.

    This is for every split: the label set is another one, so its val and test are smaller.
    """
    out = []
    for row in rows:
        found = label(votes.get(row.path), rules, row.split)
        reason = row.dropped_because or found.reason
        soft = rules.targets == "distribution" and not reason
        shown = as_text(found.votes) if soft else ""
        out.append(replace(row, label=found.name, dropped_because=reason, votes=shown))
    return out


def as_text(votes: Votes) -> str:
    """Votes by class as column `votes` of index.csv holds them.

    >>> as_text((4, 0, 3, 0, 0, 0, 0))
    'neutral:4 surprise:3'
    """
    return " ".join(f"{CLASSES[i]}:{count}" for i, count in enumerate(votes) if count)


def _without_single(votes: Votes) -> Votes:
    return tuple(count if count > 1 else 0 for count in votes)


def _only(votes: Votes, columns: Sequence[int]) -> Votes:
    return tuple(count if i in columns else 0 for i, count in enumerate(votes))
