"""Keep reference runs in results/, and write the tables of their scores into the documents.

    python -m tools.results keep NAME --command "dvc exp run ..." [--run DIR] [--note TEXT]
    python -m tools.results tables [--check]
    python -m tools.results show

`keep` copies the metrics, history, per-class scores and audit of a finished run from the clone DIR
into results/NAME, with its parameters, command, machine and date.  It copies numbers only, never a
file that holds a picture or the path of one.  `tables` writes the tables of README.md and
results/README.md from the runs kept; --check only says whether they are current.  `show` prints
the run in data/ below those of README.md.
"""

import datetime
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pandas as pd
import yaml

from facial_expression.core.command import parser
from facial_expression.core.errors import PipelineError, damaged, run
from facial_expression.core.files import read_json, write_text
from facial_expression.core.tables import markdown, read_table
from tools.beside import active_parameters, on_this_disk

NUMBERS = (
    "data/evaluation/per_class.csv",
    "data/index/audit.json",
    "data/model/history.csv",
    "data/evaluation/scores.json",
)
DOCUMENTS = ("README.md", "results/README.md")
MARKED = re.compile(r"<!-- tools\.results: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
SHOWN = {
    "released network": "fer2013-lean-longer",
    "`fine`": "fer2013-fine",
    "`best`": "fer2013-best",
    "`fast`": "fer2013-fast",
    "`seed`": "fer2013-seed-notebook",
}
"""The runs in README.md, by the name that they have there; seeds other than 0 are found."""
SCORES = ["accuracy", "leak-free", "with mirror image", "18 views", "macro F1"]
SPLITS = ("val", "test")  # FER2013's PublicTest and PrivateTest
NOTEBOOK = {5: 0.482, 10: 0.531, 15: 0.559, 45: 0.604, 100: 0.636}
"""The seed notebook's validation accuracy by epoch, as its own output cells print it."""


def keep(name: str, source: Path, command: str, note: str, results: Path) -> Path:
    """Copy the numbers of the run in `source` to results/NAME; returns that folder.

    Raises:
        PipelineError: a file of the run is missing.
    """
    missing = [path for path in NUMBERS if not (source / path).exists()]
    if missing:
        raise PipelineError(f"{source}: expected a finished run, {missing[0]} is missing; run it")
    folder = results / name
    folder.mkdir(parents=True, exist_ok=True)
    from benchmarks.measuring import describe_machine  # not in the wheel

    write_parameters(source, folder / "params.yaml")
    today = datetime.date.today().isoformat()
    record = {"command": command, "date": today, "machine": describe_machine([]), "note": note}
    _dump(record, folder / "run.yaml")
    for path in NUMBERS:  # scores.json is last: without it the folder is no run
        shutil.copyfile(source / path, folder / Path(path).name)
    return folder


def recipes(results: Path) -> str:
    """A Markdown table of the runs in SHOWN."""
    return _over_seeds(results, SHOWN)


@damaged("scores.json or history.csv", "the evaluate or the train stage")
def show(root: Path) -> str:
    """The runs of README.md and the one in `root`/data: accuracy in percent, 95 % interval.

    Raises:
        PipelineError: there is no finished run in `root`/data.
    """
    kept = [(name.strip("`"), root / "results" / folder) for name, folder in SHOWN.items()]
    ours = root / "data"
    if not (ours / "evaluation" / "scores.json").exists():
        raise PipelineError(f"{ours}: expected a finished run, found none; run dvc repro")
    places = [(name, place, place) for name, place in kept]
    rows = []
    for name, place, history in [*places, ("this run", ours / "evaluation", ours / "model")]:
        found = _metrics(place)
        row = {"run": name, "protocol": found["protocol"], "epochs": len(_history(history))}
        for split in SPLITS:
            score = found.get(split)
            keys = ("accuracy", "accuracy_low", "accuracy_high")
            text = (
                "{:.1f} ({:.1f} to {:.1f})".format(*(100 * score[k] for k in keys)) if score else ""
            )
            row[split] = text
        rows.append(row)
    return pd.DataFrame(rows).to_string(index=False)


def seeds(results: Path) -> str:
    """A Markdown table of the runs that were repeated with other seeds."""
    names = sorted({path.name.partition("-seed-")[0] for path in results.glob("*-seed-[0-9]*")})
    return _over_seeds(results, {f"`{name}`": name for name in names})


def _over_seeds(results: Path, shown: Mapping[str, str]) -> str:
    """A row for each run, on the split that it reports, with the spread over its seeds."""
    lines = [["run", "seeds", "protocol", "epochs", "val", "split", "n", *SCORES]]
    for name, kept in shown.items():
        first = results / kept
        folders = [first, *results.glob(f"{kept}-seed-[0-9]*")]
        found = [_metrics(folder) for folder in folders]
        split = found[0]["reported_split"]
        for folder, metrics in zip(folders, found, strict=True):
            if split not in metrics:
                raise PipelineError(
                    f"{folder}: expected scores of {split} as in {first}, found none; evaluate it "
                    "with that split in evaluate.splits, and keep it again"
                )
        val = _spread([100 * metrics["val"]["accuracy"] for metrics in found])
        facts = [name, str(len(found)), found[0]["protocol"], str(len(_history(first))), val]
        columns = zip(*(_scores(metrics, split) for metrics in found), strict=True)
        lines.append([*facts, split, f"{found[0][split]['n']:,}", *map(_spread, columns)])
    return markdown(lines)


def runs(results: Path) -> str:
    """A Markdown table of all runs kept, a row for each split that they scored."""
    lines = [["run", "protocol", "epochs", "split", "n", SCORES[0], "95 %", *SCORES[1:]]]
    for path in sorted(results.glob("*/scores.json")):
        folder = path.parent
        metrics = _metrics(folder)
        facts = [f"[{folder.name}]({folder.name})", metrics["protocol"], str(len(_history(folder)))]
        for split in SPLITS:
            if split in metrics:
                plain = metrics[split]
                low, high = (f"{100 * plain[f'accuracy_{end}']:.1f}" for end in ("low", "high"))
                first, *others = (_spread([score]) for score in _scores(metrics, split))
                cells = [split, f"{plain['n']:,}", first, f"{low} to {high}", *others]
                lines.append([*facts, *cells])
    return markdown(lines)


def notebook(results: Path) -> str:
    """A Markdown table of the seed recipe's accuracy beside the notebook's, at some epochs."""
    history = _history(results / "fer2013-seed-notebook")
    lines = [["epoch", "training, here", "validation, here", "validation, notebook"]]
    shown = {*NOTEBOOK, *range(10, len(history), 10), len(history)}
    for row in history[history["epoch"].isin(shown)].itertuples():
        theirs = f"{100 * NOTEBOOK[row.epoch]:.1f}" if row.epoch in NOTEBOOK else ""
        ours = (f"{100 * accuracy:.1f}" for accuracy in (row.accuracy, row.val_accuracy))
        lines.append([str(row.epoch), *ours, theirs])
    return markdown(lines)


TABLES = {"recipes": recipes, "seeds": seeds, "runs": runs, "notebook": notebook}


def _metrics(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = read_json(folder / "scores.json", "the evaluate stage")
    return metrics


def _history(folder: Path) -> pd.DataFrame:
    columns = {"epoch": int, "accuracy": float, "val_accuracy": float}
    return read_table(folder / "history.csv", columns)


def _scores(metrics: dict[str, Any], split: str) -> list[float | None]:
    """The scores of SCORES, shares but for the last in percent; None where there is none."""
    kinds = (split, f"{split}_leak_free", f"{split}_flip", f"{split}_views")
    shares = [100 * metrics[kind]["accuracy"] if kind in metrics else None for kind in kinds]
    return [*shares, metrics[split]["macro_f1"]]


def _spread(values: Sequence[float | None]) -> str:
    """Mean and standard deviation over seeds; nothing where a seed lacks the score."""
    found = [value for value in values if value is not None]
    if len(found) < len(values):
        return ""
    digits = 1 if max(found) > 1 else 3
    deviation = f" ± {stdev(found):.{digits}f}" if len(found) > 1 else ""
    return f"{mean(found):.{digits}f}{deviation}"


@damaged("scores.json or history.csv in results/", "tools.results keep")
def filled(document: str, results: Path) -> str:
    """The document with every marked table written anew from the runs in `results`.

    Raises:
        PipelineError: no table is marked, or a mark names none of TABLES.
    """

    def table(mark: re.Match[str]) -> str:
        if mark[1] not in TABLES:
            raise PipelineError(f"expected one of {', '.join(TABLES)} in a mark, found {mark[1]}")
        return "\n".join([mark[0].partition("\n")[0], TABLES[mark[1]](results), "<!-- end -->"])

    text, count = MARKED.subn(table, document)
    if not count:
        raise PipelineError(
            "expected the marks <!-- tools.results: NAME --> and <!-- end --> in the document; "
            "put them back"
        )
    return text


def write_tables(root: Path, *, check: bool) -> None:
    """Write the tables of every document, or with `check` raise if one is out of date."""
    for name in DOCUMENTS:
        path = root / name
        before = path.read_text(encoding="utf-8")
        after = filled(before, root / "results")
        if check and before != after:
            raise PipelineError(f"{name} is out of date; run python -m tools.results tables")
        if before != after:
            write_text(path, after)


def write_parameters(source: Path, path: Path) -> None:
    """Write the parameters in force in the clone `source`: params.yaml and the files it names."""
    active = active_parameters(source)
    merged = {key: value for document in active.values() for key, value in document.items()}
    with damaged("params.yaml or a file of conf/ that it names", "git restore"):
        _dump(_public(merged), path)


def _public(value: Any) -> Any:
    """A value as others may know it: a path on this disk is nobody else's business."""
    match value:
        case dict():
            return {key: _public(one) for key, one in value.items()}
        case list():
            return [*map(_public, value)]
        case str() if value.startswith("..") or on_this_disk(value):
            return "a local copy"
        case _:
            return value


def _dump(value: Any, path: Path) -> None:
    write_text(path, yaml.safe_dump(value, sort_keys=False, width=1000))  # a command on one line


def main(argv: Sequence[str] | None = None) -> None:
    """Keep a run, or write the tables."""
    commands = parser("tools.results", __doc__)
    verbs = commands.add_subparsers(dest="verb", required=True)
    keeper = verbs.add_parser("keep", help="copy a finished run's numbers to results/NAME")
    keeper.add_argument("name")
    keeper.add_argument("--command", required=True, help="what was run")
    keeper.add_argument("--run", type=Path, default=Path(), help="the clone it was run in")
    keeper.add_argument("--note", default="", help="anything a reader must know")
    tables = verbs.add_parser("tables", help="write the tables of the documents")
    tables.add_argument("--check", action="store_true", help="only say whether they are current")
    verbs.add_parser("show", help="print the run in data/ below those of README.md")
    args = commands.parse_args(argv)
    if args.verb == "keep":
        print(f"wrote {keep(args.name, args.run, args.command, args.note, Path('results'))}")
    elif args.verb == "show":
        print(show(Path.cwd()))
    else:
        write_tables(Path.cwd(), check=args.check)


if __name__ == "__main__":
    run(main)
