"""Keep a reference run in results/, and write the tables of README and docs from what is there.

    python -m tools.results keep NAME --command "dvc exp run ..." [--run DIR] [--note TEXT]
    python -m tools.results tables [--check]

`keep` copies a finished run's metrics, history, per-class scores and audit out of the clone DIR
(where FER2013 was trained) into results/NAME, with the parameters in force, the command, the
machine and the date.  It copies numbers only: no file that holds a picture or a path of one.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facial_expression.core.errors import PipelineError, run
from facial_expression.core.files import atomic, read_csv, write_text

NUMBERS = (
    "data/evaluation/metrics.json",
    "data/evaluation/per_class.csv",
    "data/index/audit.json",
    "data/model/history.csv",
)
BEGIN, END = "<!-- results: begin (python -m tools.results tables) -->", "<!-- results: end -->"
DOCUMENTS = ("README.md", "docs/recipes.md")
HEADER = ["run", "protocol", "epochs", "split", "n", "accuracy (95 % interval)"]
HEADER += ["leak-free", "with flip", "18 views", "macro F1"]
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
    for path in NUMBERS:
        shutil.copyfile(source / path, folder / Path(path).name)
    write_parameters(source, folder / "params.yaml")
    record = {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "note": note,
    }
    _dump(record, folder / "run.yaml")
    return folder


def machine() -> str:
    """Processor, cores, system and Python of this machine, in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor() or platform.machine()
    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )


def overview(results: Path, splits: Sequence[str] = SPLITS) -> list[str]:
    """A Markdown table of the runs kept that scored one of the splits, a row for each they did."""
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    for folder in _runs(results):
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        epochs = sum(1 for _ in read_csv(folder / "history.csv"))
        run = f"[{folder.name}](results/{folder.name})", metrics["protocol"], str(epochs)
        lines += [_line([*run, *_scores(metrics, name)]) for name in splits if name in metrics]
    return [*lines, ""]


def notes(results: Path) -> list[str]:
    """Markdown: command, machine and date of each run kept, and what a reader must know of it."""
    lines = []
    for folder in _runs(results):
        record = YAML(typ="safe").load(folder / "run.yaml")
        facts = f"`{record['command']}`, {record['machine']}, {record['date']}. {record['note']}"
        lines += [f"*{folder.name}*: {facts}".rstrip(), ""]
    return lines


def _scores(metrics: dict[str, Any], split: str) -> list[str]:
    plain = metrics[split]
    interval = f"{100 * plain['accuracy_low']:.1f} to {100 * plain['accuracy_high']:.1f}"
    others = (metrics.get(f"{split}_{kind}") for kind in ("leak_free", "flip", "views"))
    return [
        split,
        f"{plain['n']:,}",
        f"{100 * plain['accuracy']:.1f} % ({interval})",
        *map(_percent, others),
        f"{plain['macro_f1']:.3f}",
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(scores: dict[str, float] | None) -> str:
    return f"{100 * scores['accuracy']:.1f} %" if scores else ""


def seed_by_epoch(results: Path) -> list[str]:
    """A Markdown table of the seed recipe's validation accuracy beside the notebook's, by epoch."""
    path = results / "fer2013-seed-notebook" / "history.csv"
    if not path.exists():
        return []
    history = {int(row["epoch"]): float(row["val_accuracy"]) for row in read_csv(path)}
    lines = ["| epoch | here | seed notebook |", "|---|---|---|"]
    for epoch, accuracy in history.items():
        if epoch <= 10 or epoch in NOTEBOOK or epoch == len(history):
            theirs = f"{NOTEBOOK[epoch]:.3f}" if epoch in NOTEBOOK else ""
            lines.append(f"| {epoch} | {accuracy:.3f} | {theirs} |")
    return [*lines, ""]


def filled(document: str, results: Path, *, brief: bool) -> str:
    """The document with the part between the marks written anew from results/.

    Args:
        document: Markdown with the marks.
        results: the folder of runs kept.
        brief: only what was scored on test, as README wants it; else everything, for docs/.

    Raises:
        PipelineError: the marks are missing.
    """
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise PipelineError(f"expected the marks {BEGIN} and {END} in the document; put them back")
    if brief:
        lines = overview(results, ("test",))
    else:
        table = [line.replace("](results/", "](../results/") for line in overview(results)]
        lines = [*table, *notes(results), *seed_by_epoch(results)]
    return "\n".join([head + BEGIN, "", *lines]) + END + tail


def write_tables(root: Path, *, check: bool) -> None:
    """Write the tables of every document, or with `check` raise if one is out of date."""
    for name in DOCUMENTS:
        path = root / name
        before = path.read_text(encoding="utf-8")
        after = filled(before, root / "results", brief="/" not in name)
        if check and before != after:
            raise PipelineError(f"{name} is out of date; run python -m tools.results tables")
        if before != after:
            write_text(path, after)


def _runs(results: Path) -> list[Path]:
    return sorted(path.parent for path in results.glob("*/metrics.json"))


def parameters_of(source: Path) -> dict[str, Any]:
    """The parameters in force in the clone `source`: params.yaml and the two files it names."""
    yaml = YAML(typ="safe")
    active = yaml.load(source / "params.yaml")
    for kind in ("data", "recipe"):
        active |= yaml.load(source / "conf" / kind / f"{active[kind]}.yaml")
    if Path(active["fetch"]["source"]).exists():
        active["fetch"]["source"] = "a local copy"  # its path is nobody else's
    return active


def write_parameters(source: Path, path: Path) -> None:
    """Write `parameters_of` the clone `source` as YAML."""
    _dump(parameters_of(source), path)


def _dump(value: Any, path: Path) -> None:
    yaml = YAML()
    yaml.width = 1000  # a command stays on its line
    with atomic(path) as temporary:
        yaml.dump(value, temporary)


def main(argv: Sequence[str] | None = None) -> None:
    """Keep a run, or write the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.results",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    keeper = verbs.add_parser("keep", help="copy a finished run's numbers to results/NAME")
    keeper.add_argument("name")
    keeper.add_argument("--command", required=True, help="what was run")
    keeper.add_argument("--run", type=Path, default=Path(), help="the clone it was run in")
    keeper.add_argument("--note", default="", help="anything a reader must know")
    tables = verbs.add_parser("tables", help="write the tables of README and docs")
    tables.add_argument("--check", action="store_true", help="only say whether they are current")
    args = parser.parse_args(argv)
    if args.verb == "keep":
        print(f"wrote {keep(args.name, args.run, args.command, args.note, Path('results'))}")
    else:
        write_tables(Path.cwd(), check=args.check)


if __name__ == "__main__":
    run(main)
