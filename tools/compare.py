"""Compare runs by their predictions.  DVC reads them from any revision.

    python -m tools.compare REV_A REV_B                    two runs, picture by picture
    python -m tools.compare --seeds REV... [--against REV...]
                                                           runs that differ by the seed, one group
                                                           or two

A revision is anything that git or `dvc exp show` names (a commit, a branch, a tag, an experiment),
or `workspace` (or '') for the files of the current folder.  Reads
data/evaluation/predictions/SPLIT.csv of each; writes nothing.  All runs must have scored the same
pictures with the same labels, and the parameters of a group may differ by train.seed only.

Two runs: accuracy of both, the difference B - A with Newcombe's paired interval, McNemar's exact
test, and the difference of macro F1 with the interval of a paired bootstrap.  These intervals say
what other pictures would change.  Another training seed changes a score as well: compare groups of
runs with --seeds and --against (Welch's test).
"""

import io
import itertools
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facial_expression.core.command import parser
from facial_expression.core.errors import DatasetError, PipelineError, reason, run
from facial_expression.core.tables import read_table

PREDICTIONS = "data/evaluation/predictions"
WORKSPACE = ("", "workspace")
SECTIONS = ("index", "preprocess", "train")
"""The parameters that a network depends on, beside the pictures."""
SEED = "train.seed"
COLUMNS = ("path", "actual", "predicted")  # of predictions/<split>.csv, and one for each class
NOISE = 0.05
"""A difference with a smaller p-value is called larger than noise."""

Labels = NDArray[np.int64]


class Predictions(NamedTuple):
    """A run's name in messages, its classes in label order, and its predictions.

    The table has the columns actual and predicted, names of classes, by path.
    """

    name: str
    classes: list[str]
    table: pd.DataFrame


def read_run(revision: str, split: str) -> Predictions:
    """Read the predictions of a revision through DVC, in the repository of the current folder.

    Raises:
        PipelineError: DVC does not know the revision.
        DatasetError: it has no predictions for this split, their content is not here, or the table
            is damaged.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.index import DataIndexDirError

    name = "workspace" if revision in WORKSPACE else revision
    path = f"{PREDICTIONS}/{split}.csv"
    try:
        # DVCFileSystem(rev=...) finds nothing if the pipeline is a folder of a larger repository
        with Repo() as repo, nullcontext() if revision in WORKSPACE else repo.switch(revision):
            data = repo.dvcfs.read_bytes(path)
    except DvcException as error:
        raise PipelineError(
            f"{name}: expected a commit, branch, tag or experiment of this repository: "
            f"{reason(error)}; git log and dvc exp show list them"
        ) from None
    except (FileNotFoundError, DataIndexDirError) as error:
        raise DatasetError(
            f"{name}: expected {path}, found none ({reason(error)}); name a split that it scored, "
            "or bring its files with dvc fetch --all-commits"
        ) from None
    return parse(data, name)


def check_seeds(revisions: Sequence[str]) -> None:
    """Check that runs differ by their seed, and by nothing else that their networks depend on.

    Raises:
        PipelineError: two of them differ in another parameter, or have the same seed.
    """
    from dvc.api import params_show

    runs: list[tuple[str, dict[str, Any]]] = []
    for revision in revisions:
        found = params_show(rev=None if revision in WORKSPACE else revision, deps=True)
        sections = {name: found[name] for name in SECTIONS if name in found}
        (flat,) = pd.json_normalize(sections).to_dict("records")  # {"train.optimizer.name": ...}
        runs.append((revision or "workspace", flat))
    for (one, a), (other, b) in itertools.combinations(runs, 2):
        differing = sorted(key for key in {*a, *b} - {SEED} if a.get(key) != b.get(key))
        if differing:
            values = ", ".join(f"{key} {a.get(key)} and {b.get(key)}" for key in differing[:3])
            more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
            raise PipelineError(
                f"{one} and {other}: expected runs that differ by {SEED} only, found {values}"
                f"{more}; put runs of another setting behind --against"
            )
        if a.get(SEED) == b.get(SEED):
            raise PipelineError(
                f"{one} and {other}: expected another {SEED} in each, found {a.get(SEED)} in "
                "both; a run repeated has no spread of its own"
            )


def parse(data: bytes, name: str) -> Predictions:
    """Read the bytes of predictions/<split>.csv.

    Raises:
        DatasetError: it has other columns, no picture, a picture twice, or an unknown class.
    """
    columns = dict.fromkeys(COLUMNS, str)
    again = "the evaluate stage of that version"
    table = read_table(Path(name), columns, again, key="path", stream=io.BytesIO(data))
    classes = [column for column in table if column not in columns]
    known = table[["actual", "predicted"]].isin(classes).all(axis=1)
    if not known.all():
        raise DatasetError(
            f"{name}: expected classes of the header, found {int((~known).sum())} of {len(table)} "
            f"rows with another class; run {again} again"
        )
    return Predictions(name, classes, table.set_index("path")[["actual", "predicted"]])


def aligned(runs: Sequence[Predictions]) -> tuple[Labels, list[Labels]]:
    """Actual labels int64 (N,), and each run's predictions int64 (N,), in the first run's order.

    Raises:
        DatasetError: two runs differ in their classes, pictures or labels.
    """
    first = runs[0]
    for other in runs[1:]:
        _check_same(first, other)
    numbers = {name: label for label, name in enumerate(first.classes)}
    actual = first.table["actual"].map(numbers).to_numpy()
    tables = [each.table.loc[first.table.index] for each in runs]
    return actual, [table["predicted"].map(numbers).to_numpy() for table in tables]


def _check_same(one: Predictions, other: Predictions) -> None:
    if one.classes != other.classes:
        raise DatasetError(
            f"{one.name} and {other.name}: expected the same classes, found "
            f"{', '.join(one.classes)} and {', '.join(other.classes)}; compare runs on one data set"
        )
    labels = pd.concat([one.table["actual"], other.table["actual"]], axis=1, keys=["one", "other"])
    shared = labels.dropna()
    relabelled = int((shared["one"] != shared["other"]).sum())
    if len(shared) < len(labels) or relabelled:
        raise DatasetError(
            f"{one.name} and {other.name}: expected the same pictures with the same labels, found "
            f"{labels['other'].isna().sum():,} pictures only in {one.name}, "
            f"{labels['one'].isna().sum():,} only in {other.name} and {relabelled:,} of the "
            f"{len(shared):,} shared ones with another label; "
            "compare runs on one data set, protocol and split"
        )


def compare_pair(run_a: Predictions, run_b: Predictions) -> list[str]:
    """The comparison of two runs, as lines of text."""
    from tools import comparison

    actual, (a, b) = aligned([run_a, run_b])
    hits = comparison.count_hits(actual, a, b)
    accuracy = comparison.accuracy_difference(hits)
    p = comparison.mcnemar(hits)
    classes = len(run_a.classes)
    f1 = comparison.macro_f1_difference(actual, a, b, classes)
    f1_a, f1_b = (comparison.macro_f1(actual, predicted, classes) for predicted in (a, b))
    accuracy_a, accuracy_b = (float((predicted == actual).mean()) for predicted in (a, b))
    moved = f"{_points(accuracy.low)} to {_points(accuracy.high)}"
    if p < NOISE:
        better, worse = (run_b, run_a) if accuracy.value > 0 else (run_a, run_b)
        verdict = (
            f"The difference is larger than noise: {better.name} is more accurate than "
            f"{worse.name} on such pictures (p = {_p(p)})."
        )
    elif hits.only_a + hits.only_b == 0:
        verdict = "Both are right on the same pictures."
    else:
        verdict = f"The difference is not larger than noise (p = {_p(p)})."
    return [
        f"A = {run_a.name}, B = {run_b.name}: {len(actual):,} pictures; intervals are 95 %",
        f"accuracy        A {100 * accuracy_a:.2f} %, B {100 * accuracy_b:.2f} %",
        f"  B - A         {_points(accuracy.value)} points ({moved}; Newcombe, paired)",
        f"  right alone   A {hits.only_a:,}, B {hits.only_b:,}: McNemar's exact test p = {_p(p)}",
        f"macro F1        A {f1_a:.4f}, B {f1_b:.4f}",
        f"  B - A         {f1.value:+.4f} ({f1.low:+.4f} to {f1.high:+.4f}; paired bootstrap, "
        f"{comparison.DRAWS:,} draws)",
        verdict,
        "It is about the choice of pictures, not the training seed: see --seeds.",
    ]


def compare_seeds(group_a: Sequence[Predictions], group_b: Sequence[Predictions]) -> list[str]:
    """The scores of one group of runs, or of two and their difference, as lines of text."""
    from tools import comparison

    actual, predictions = aligned([*group_a, *group_b])
    classes = len(group_a[0].classes)
    scores = {
        "accuracy": [float((predicted == actual).mean()) for predicted in predictions],
        "macro F1": [comparison.macro_f1(actual, predicted, classes) for predicted in predictions],
    }
    groups = {"A": group_a, "B": group_b} if group_b else {"A": group_a}
    names = [f"{key} = {', '.join(each.name for each in group)}" for key, group in groups.items()]
    lines = [f"{'; '.join(names)}: {len(actual):,} pictures"]
    for score, values in scores.items():
        a, b = values[: len(group_a)], values[len(group_a) :]
        for key, part in zip(groups, (a, b), strict=False):
            deviation = f"{100 * np.std(part, ddof=1):.2f} points" if len(part) > 1 else "unknown"
            lines.append(
                f"{score:9} {key}  mean {100 * np.mean(part):.2f} %, standard deviation "
                f"{deviation}, n = {len(part)} (lowest {100 * min(part):.2f} %, highest "
                f"{100 * max(part):.2f} %)"
            )
        if len(a) > 1 and len(b) > 1:
            difference, p = comparison.mean_difference(a, b)
            noise = "" if p < NOISE else "not "
            lines.append(
                f"  B - A      {_points(difference.value)} points ({_points(difference.low)} to "
                f"{_points(difference.high)}; 95 %, Welch):\n"
                f"             {noise}larger than the noise of the seeds (p = {_p(p)})"
            )
    return lines


def _points(share: float) -> str:
    return f"{100 * share:+.2f}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def main(argv: Sequence[str] | None = None) -> None:
    """Read the revisions, print the comparison."""
    arguments = parser("tools.compare", __doc__)
    add = arguments.add_argument
    add("pair", nargs="*", metavar="REV", help="REV_A REV_B")
    add("--seeds", nargs="+", metavar="REV", help="runs of one recipe")
    add("--against", nargs="+", metavar="REV", help="runs of another recipe (2 or more)")
    add("--split", default="val", help="train, val (default) or test")
    args = arguments.parse_args(argv)
    if (len(args.pair) != 2) if args.seeds is None else args.pair:
        arguments.error("expected two revisions, or --seeds and one or more")
    if args.against is not None and (
        args.seeds is None or min(map(len, (args.seeds, args.against))) < 2
    ):
        arguments.error("--against expects two revisions or more, and as many after --seeds")
    named = [*args.pair, *(args.seeds or ()), *(args.against or ())]
    runs = [read_run(revision, args.split) for revision in named]
    if args.seeds is None:
        lines = compare_pair(*runs)
    else:
        check_seeds(args.seeds)
        check_seeds(args.against or ())
        lines = compare_seeds(runs[: len(args.seeds)], runs[len(args.seeds) :])
    print(f"split {args.split}", *lines, sep="\n")


if __name__ == "__main__":
    run(main)
