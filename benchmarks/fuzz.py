"""Hand damaged files to the readers: each case ends in a result or in one line, within seconds.

    python -m benchmarks.fuzz [--cases 20000] [--seed 0] [--data data] [--keep tests/corpus]

Reads   DATA, the outputs of a run, and params.yaml and conf/ beside it.
Prints  by reader how many cases were read or refused in one line; each fault: a traceback, more
        than 5 seconds of the processor, more than 1 GB of memory, a file written elsewhere; and the
        peak of memory.
Writes  with --keep the file of each fault, for the tests: FOLDER/<reader>/<seed>-<case>.<name>.
        The run must be of the sample, whose faces are drawn.

A case is one file with seeded damage: cut, bytes removed, doubled or replaced, also by what text
formats know; members of zips too, with a checksum that fits.  All run in this process.
"""

import io
import re
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measuring import peak_memory
from benchmarks.readers import readers, tried
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import read_json, write_bytes
from facial_expression.network.backend import configure
from tools.report.run import SAMPLE

TOKENS = [
    *("", "0", "-1", "0.5", "1e999", "nan", "NaN", "null", "true", "[]", "{}", "()", "[1]", "*a"),
    *("\n", "\r", "\0", "\ufeff", r'"\0"', "é", ",", '"', "../", "4294967296", "2020-13-01"),
    *("!!int x", "!!float x", "!!bool x", "!!timestamp x", "? [a]\n: 1", "? {a: 1}\n: 1", "<<: 1"),
    *("&a [*a]", "9" * 5000, "0x" + "f" * 5000, "[" * 5000, '{"a":' * 5000, "x" * 200_000),
]


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


def fuzz(data: Path, cases: int, seed: int, keep: Path | None = None) -> pd.DataFrame:
    """Try cases on a copy of the run in `data`: a row each with reader, file and end.

    Faults leave their files in `keep`.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "run")
        tests = readers(data, root)
        names = [name for name, each in tests.items() for _ in range(each.share)]
        rows, places = [], (root.parent, root)
        known = {path for place in places for path in place.iterdir()}
        for case in range(cases):
            rng = np.random.default_rng([seed, case])
            name = names[rng.integers(len(names))]
            reader = tests[name]
            whole = (file := reader.files[int(rng.integers(len(reader.files)))]).read_bytes()
            damaged = damage(whole, rng)
            file.write_bytes(damaged)
            end = tried(reader, file)
            if new := {path for place in places for path in place.iterdir()} - known:
                end = f"elsewhere: {sorted(new)}"
            rows.append((name, file.name, end))
            file.write_bytes(whole)
            if keep and end not in ("read", "refused"):
                write_bytes(keep / name / f"{seed}-{case}.{file.name}", damaged)
    return pd.DataFrame(rows, columns=["reader", "file", "end"])


def main(argv: Sequence[str] | None = None) -> None:
    """Fuzz and print the counts; exit code 1 if there was a fault."""
    arguments = parser("benchmarks.fuzz", __doc__)
    arguments.add_argument("--cases", type=at_least(1), default=20_000)
    arguments.add_argument("--seed", type=at_least(0), default=0)
    arguments.add_argument("--data", type=Path, default=Path("data"))
    arguments.add_argument("--keep", type=Path, metavar="FOLDER", help="for the files of faults")
    args = arguments.parse_args(argv)
    source = read_json(args.data / "raw/source.json", "the fetch stage")
    if args.keep and source["sha256"] != SAMPLE:
        raise ParameterError("--keep: expected a run of the sample, found pictures of others")
    configure("tensorflow", 1)
    found = fuzz(args.data, args.cases, args.seed, args.keep)
    kinds = found["end"].str.partition(":")[0]
    print(pd.crosstab(found["reader"], kinds, margins=True, margins_name="all").to_string())
    faults = found[~found["end"].isin(["read", "refused"])]
    print(faults.to_string())
    print(f"{len(found):,} cases, {len(faults):,} faults; {peak_memory() / 1e9:.1f} GB at most")
    sys.exit(len(faults) > 0)


if __name__ == "__main__":
    run(main)
