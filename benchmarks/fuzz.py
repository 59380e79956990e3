"""Hand damaged files to the readers: each case ends in a result or in one line, within seconds.

    python -m benchmarks.fuzz [--cases 20000] [--seed 0] [--data data]

Reads   DATA, the outputs of a run, and conf/ beside it.
Prints  by reader how many cases were read, refused in one line, ended in a traceback, or took more
        than 5 seconds of the processor; each fault; and the peak of memory.

A case is one file with seeded damage: cut, bytes removed, doubled or replaced, also by what text
formats know; members of zips too, with a checksum that fits.  All run in this process.
"""

import contextlib
import io
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facial_expression.core import arrays, files, labels, params, tables
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import DatasetError, run
from facial_expression.export.card import Facts
from facial_expression.export.run import PER_CLASS, ExportParameters, described
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.index import ferplus
from facial_expression.index.table import IndexParameters
from facial_expression.inference.network import Network
from facial_expression.network.backend import configure
from facial_expression.network.recipe import Recipe
from facial_expression.plot.run import PlotParameters, draw
from facial_expression.preprocess.shards import read_index
from facial_expression.train import checkpoints
from facial_expression.train.run import peak_memory
from tools.beside import find_temperature

LONGEST = 5.0
TOKENS = [
    *("", "0", "-1", "0.5", "1e999", "nan", "NaN", "null", "true", "[]", "{}", "()", "[1]", "*a"),
    *("\n", "\r", "\0", "\ufeff", r'"\0"', "é", ",", '"', "../", "4294967296", "2020-13-01"),
    *("!!int x", "!!float x", "!!bool x", "!!timestamp x", "? [a]\n: 1", "? {a: 1}\n: 1", "<<: 1"),
    *("&a [*a]", "9" * 5000, "0x" + "f" * 5000, "[" * 5000, '{"a":' * 5000, "x" * 200_000),
]
Reader = tuple[int, Sequence[Path], Callable[[], Any]]
"""Its share of the cases, files of a run, and what reads them there."""


def readers(root: Path) -> dict[str, Reader]:
    """What is tried on the run in `root`, by name."""
    data, conf, votes = root / "data", root / "conf/data/sample.yaml", root / "votes.csv"
    recipe, network = root / "conf/recipe/sample.yaml", data / "export/model.onnx"
    index, shards, scores, model = (data / n for n in ("index", "arrays", "evaluation", "model"))
    classes, (fitted, named) = shards / "classes.json", sorted(data.glob("export/c*.json"))
    paths = tables.read_table(index / "index.csv", {"path": str})["path"]
    tables.write_table(votes, pd.DataFrame({"path": paths, **dict.fromkeys(ferplus.COLUMNS, 1)}))
    checkpoints.write(root, checkpoints.State([{"epoch": 1}], [np.ones((3, 4))], [], [np.ones(2)]))
    said, used = params.load(conf, "export", ExportParameters), params.load(recipe, "train", Recipe)
    card, scored = (data / "raw/source.json", index / "audit.json"), scores / "scores.json"
    drawn = data / "raw/images.zip", index, shards, model / "history.csv", scores
    plots = partial(draw, PlotParameters(50, "#112233", 1, 1, 1, 0), *drawn)

    def onnx() -> None:
        loaded = Network(network, 1)
        loaded.predict(np.zeros((2, loaded.side, loaded.side), np.uint8))

    def model_card() -> None:
        source, audit, found = (files.read_json(path, "it") for path in (*card, scored))
        per_class = tables.read_table(scores / "per_class.csv", PER_CLASS)
        texts, recipe_used = said.texts(""), asdict(used)
        facts = Facts(texts, source, audit, found, per_class, "", recipe_used, "", 1)
        described(facts, said.crop)

    def keras() -> None:
        from facial_expression.network.keras_file import load_classifier  # noqa: PLC0415

        load_classifier(model / "model.keras", 7)

    def split() -> None:
        arrays.read_split(shards, "val", labels.read_classes(classes))

    load, state, table = partial(params.load, conf), root / "state.npz", index / "index.csv"
    return {
        "fetch": (8, [conf], partial(load, "fetch", FetchParameters)),
        "index": (8, [conf], partial(load, "index", IndexParameters)),
        "export": (8, [conf], partial(load, "export", ExportParameters)),
        "train": (16, [recipe], partial(params.load, recipe, "train", Recipe)),
        "index.csv": (10, [table], partial(read_index, table)),
        "votes": (10, [votes], partial(ferplus.read_votes, votes, paths)),
        "arrays": (20, [classes, *(shards / "val").iterdir()], split),
        "card": (20, [*card, scored, scores / "per_class.csv"], model_card),
        "plot": (1, [*scores.rglob("*.*"), *index.glob("*.csv"), model / "history.csv"], plots),
        "classes": (4, [named], partial(labels.read_classes, named, ordered=False)),
        "temperature": (4, [fitted], partial(find_temperature, network)),
        "state.npz": (10, [state], partial(checkpoints.read, root)),
        "onnx": (10, [network], onnx),
        "keras": (3, [model / "model.keras"], keras),
    }


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes with one to three faults; of a zip sometimes in one member."""
    if data[:2] == b"PK" and rng.random() < 0.6:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
            chosen = rng.integers(len(source.namelist()))
            for i, name in enumerate(source.namelist()):
                member = source.read(name)
                target.writestr(name, damage(member, rng) if i == chosen else member)
        return out.getvalue()
    for _ in range(rng.integers(1, 4)):
        at, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
        token = TOKENS[rng.integers(len(TOKENS))].encode()
        word = re.search(rb"[^\s:,\[\]{}\"]+", data[at : at + 4096])
        first, last = (at + word.start(), at + word.end()) if word else (at, at)
        noise = rng.integers(0, 256, 4, np.uint8).tobytes()
        cuts = [(at, len(data), b""), (at, at + 1, noise[:1]), (at, min(end, at + 64), b"")]
        cuts += [(at, at, data[at : at + 64]), (at, at, token), (at, at + 4, noise)]
        first, last, between = [*cuts, *3 * [(first, last, token)]][rng.integers(9)]
        data = data[:first] + between + data[last:]
    return data


def tried(read: Callable[[], Any]) -> str:
    """How a case ends, as a person would see it: read, refused, or a fault."""
    start, end = time.process_time(), "read"
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            run(read)
    except SystemExit as error:
        end = "refused" if re.fullmatch("error: .+", str(error)) else f"lines: {error}"
    except BaseException as error:  # noqa: BLE001  whatever it is, it is what we look for
        end = f"traceback: {type(error).__name__}: {error}"
    return f"hang: {end}" if time.process_time() - start > LONGEST else end


def fuzz(data: Path, cases: int, seed: int) -> pd.DataFrame:
    """Try cases on a copy of the run in `data`: a row each with reader, file and end."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(data, root / "data", ignore=shutil.ignore_patterns("plots", "source"))
        shutil.copytree(data.parent / "conf", root / "conf")
        tests = readers(root)
        if broken := [name for name, (_, _, read) in tests.items() if tried(read) != "read"]:
            raise DatasetError(f"{data}: expected a whole run, found damage for {broken}")
        names = [name for name, (share, _, _) in tests.items() for _ in range(share)]
        rows = []
        for case in range(cases):
            rng = np.random.default_rng([seed, case])
            name = names[rng.integers(len(names))]
            _, files, read = tests[name]
            whole = (file := files[int(rng.integers(len(files)))]).read_bytes()
            file.write_bytes(damage(whole, rng))
            rows.append((name, file.name, tried(read)))
            file.write_bytes(whole)
    return pd.DataFrame(rows, columns=["reader", "file", "end"])


def main(argv: Sequence[str] | None = None) -> None:
    """Fuzz and print the counts; exit code 1 if there was a fault."""
    arguments = parser("benchmarks.fuzz", __doc__)
    arguments.add_argument("--cases", type=at_least(1), default=20_000)
    arguments.add_argument("--seed", type=at_least(0), default=0)
    arguments.add_argument("--data", type=Path, default=Path("data"))
    args = arguments.parse_args(argv)
    configure("tensorflow", 1)
    found = fuzz(args.data, args.cases, args.seed)
    kinds = found["end"].str.partition(":")[0]
    print(pd.crosstab(found["reader"], kinds, margins=True, margins_name="all").to_string())
    faults = found[~found["end"].isin(["read", "refused"])]
    print(faults.to_string())
    print(f"{len(found):,} cases, {len(faults):,} faults; {peak_memory() / 1e9:.1f} GB at most")
    sys.exit(len(faults) > 0)


if __name__ == "__main__":
    run(main)
