"""Hand damaged files to the readers: each case ends in a result or in one line, within seconds.

    python -m benchmarks.fuzz [--cases 20000] [--seed 0] [--data data]

Reads   DATA, the outputs of a run, and conf/ beside it.
Prints  by reader how many cases were read or refused in one line; each fault: a traceback, more
        than 5 seconds of the processor, more than 1 GB of memory, a file written elsewhere; and the
        peak of memory.

A case is one file with seeded damage: cut, bytes removed, doubled or replaced, also by what text
formats know; members of zips too, with a checksum that fits.  All run in this process.
"""

import contextlib
import io
import re
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.measuring import peak_memory
from facial_expression.core import arrays, files, labels, params, tables
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import DatasetError, run
from facial_expression.export.card import Facts
from facial_expression.export.run import PER_CLASS, ExportParameters, described
from facial_expression.fetch.layout import normalise
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.index import ferplus
from facial_expression.index.table import IndexParameters, scan
from facial_expression.inference.network import Network
from facial_expression.inference.video import video
from facial_expression.network.backend import configure
from facial_expression.network.recipe import Recipe
from facial_expression.pictures import archive
from facial_expression.pictures.images import decode
from facial_expression.plot.run import PlotParameters, draw
from facial_expression.preprocess.shards import read_index
from facial_expression.train import checkpoints
from tools.beside import find_temperature

LONGEST, LARGEST = 5.0, 10**9
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "a.jpg": ("L", {}), "b.jpg": ("RGB", {"progressive": True}), "a.png": ("I;16", {}),
    "b.png": ("RGBA", {}), "c.png": ("P", {"transparency": 3}), "a.gif": ("P", {}),
    "a.bmp": ("RGB", {}), "a.tif": ("I;16", {"compression": "tiff_lzw"}),
    "b.tif": ("CMYK", {"compression": "tiff_adobe_deflate"}), "a.webp": ("RGBA", {}),
    "a.ppm": ("RGB", {}),
}  # fmt: skip
"""Of the readers of pictures: name -> mode of the picture, and how Pillow writes it."""
TOKENS = [
    *("", "0", "-1", "0.5", "1e999", "nan", "NaN", "null", "true", "[]", "{}", "()", "[1]", "*a"),
    *("\n", "\r", "\0", "\ufeff", r'"\0"', "é", ",", '"', "../", "4294967296", "2020-13-01"),
    *("!!int x", "!!float x", "!!bool x", "!!timestamp x", "? [a]\n: 1", "? {a: 1}\n: 1", "<<: 1"),
    *("&a [*a]", "9" * 5000, "0x" + "f" * 5000, "[" * 5000, '{"a":' * 5000, "x" * 200_000),
]
Reader = tuple[int, Sequence[Path], Callable[[], Any]]
"""Its share of the cases, files of a run, and what reads them there."""


def made(place: Path, images: Path) -> dict[str, list[Path]]:
    """Sources, pictures and a video in `place`, of 24 pictures of `images`, by reader."""
    with zipfile.ZipFile(images) as whole:
        some = {name: whole.read(name) for name in whole.namelist()[::97][:24]}
    place.mkdir()
    files.write_zip(place / "images.zip", some.items())
    with zipfile.ZipFile(place / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in some.items():
            packed.writestr(name, data)
    with tarfile.open(place / "a.tar", "w") as tar, tarfile.open(place / "a.tgz", "w:gz") as small:
        for kind, (name, data) in [(kind, each) for each in some.items() for kind in (tar, small)]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            kind.addfile(info, io.BytesIO(data))
    row = " ".join(["128"] * 48 * 48)
    lines = [f"{label},{row},{usage}" for label in (0, 3) for usage in ("Training", "PublicTest")]
    (place / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]))
    face = Image.open(io.BytesIO(next(iter(some.values()))))
    for name, (mode, how) in PICTURES.items():
        grey = face if mode != "I;16" else Image.fromarray(np.asarray(face).astype(np.uint16) * 256)
        grey.convert(mode).save(place / name, **how)
    written = cv2.VideoWriter(str(place / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, face.size)
    for _ in range(5):
        written.write(np.asarray(face.convert("RGB")))
    written.release()
    return {
        "source": [place / name for name in ("a.zip", "a.tar", "a.tgz", "fer2013.csv")],
        "picture": [place / name for name in PICTURES],
        "images.zip": [place / "images.zip"],
        "video": [place / "a.avi"],
    }


def readers(root: Path) -> dict[str, Reader]:
    """What is tried on the run in `root`, by name."""
    handed = made(root / "handed", root / "data/raw/images.zip")
    data, conf, votes = root / "data", root / "conf/data/sample.yaml", root / "votes.csv"
    recipe, network = root / "conf/recipe/sample.yaml", data / "export/model.onnx"
    index, shards, scores, model = (data / n for n in ("index", "arrays", "evaluation", "model"))
    classes, (fitted, named) = shards / "classes.json", sorted(data.glob("export/c*.json"))
    paths = tables.read_table(index / "index.csv", {"path": str})["path"]
    tables.write_table(votes, pd.DataFrame({"path": paths, **dict.fromkeys(ferplus.COLUMNS, 1)}))
    people, resume = data / "raw/people.csv", root / "resume"
    tables.write_table(people, pd.DataFrame({"path": paths, "group": "a", "sex": "f", "age": 30}))
    checkpoints.write(
        resume, checkpoints.State([{"epoch": 1}], [np.ones((3, 4))], [], [np.ones(2)])
    )
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

    def fetched(path: Path) -> None:
        normalise(path, root / "out/images.zip", load("fetch", FetchParameters), "it")

    def picture(path: Path) -> None:
        decode(path.read_bytes())

    def frames(path: Path) -> None:
        for frame in video(str(path)):
            frame.read()

    def every_member(path: Path) -> None:
        list(archive.read_members(path, archive.members(path).items()))
        scan(path, 1, searched=True)

    reads = {"source": fetched, "picture": picture, "images.zip": every_member, "video": frames}
    shares = {"source": 12, "picture": 4, "images.zip": 10, "video": 2}
    (root / "out").mkdir()

    load, state, table = partial(params.load, conf), resume / "state.npz", index / "index.csv"
    by_file = {
        f"{name} {path.name}": (shares[name], [path], partial(reads[name], path))
        for name, paths in handed.items()
        for path in paths
    }
    return by_file | {
        "people.csv": (10, [people], partial(tables.read_people, people)),
        "exclude": (6, [votes], partial(tables.read_table, votes, {"path": str}, empty=True)),
        "fetch": (8, [conf], partial(load, "fetch", FetchParameters)),
        "index": (8, [conf], partial(load, "index", IndexParameters)),
        "export": (8, [conf], partial(load, "export", ExportParameters)),
        "train": (16, [recipe], partial(params.load, recipe, "train", Recipe)),
        "index.csv": (10, [table], partial(read_index, table)),
        "votes": (10, [votes], partial(ferplus.read_votes, votes, paths)),
        "arrays": (20, [classes, *(shards / "val").iterdir()], split),
        "card": (20, [*card, scored, scores / "per_class.csv"], model_card),
        "plot": (1, [*scores.rglob("*.*"), *index.glob("*.csv"), model / "history.csv"], plots),
        "classes": (4, [named], partial(labels.read_classes, named)),
        "temperature": (4, [fitted], partial(find_temperature, network)),
        "state.npz": (10, [state], partial(checkpoints.read, resume)),
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
    start, peak, end = time.process_time(), peak_memory(), "read"
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            run(read)
    except SystemExit as error:
        end = "refused" if re.fullmatch("error: .+", str(error)) else f"lines: {error}"
    except BaseException as error:  # noqa: BLE001  whatever it is, it is what we look for
        end = f"traceback: {type(error).__name__}: {error}"
    if peak_memory() - peak > LARGEST:
        end = f"memory: {end}"
    return f"hang: {end}" if time.process_time() - start > LONGEST else end


def fuzz(data: Path, cases: int, seed: int) -> pd.DataFrame:
    """Try cases on a copy of the run in `data`: a row each with reader, file and end."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "run")
        shutil.copytree(data, root / "data", ignore=shutil.ignore_patterns("plots", "source"))
        shutil.copytree(data.parent / "conf", root / "conf")
        tests = readers(root)
        if broken := [name for name, (_, _, read) in tests.items() if tried(read) != "read"]:
            raise DatasetError(f"{data}: expected a whole run, found damage for {broken}")
        names = [name for name, (share, _, _) in tests.items() for _ in range(share)]
        rows, places = [], (root.parent, root)
        known = {path for place in places for path in place.iterdir()}
        for case in range(cases):
            rng = np.random.default_rng([seed, case])
            name = names[rng.integers(len(names))]
            _, files, read = tests[name]
            whole = (file := files[int(rng.integers(len(files)))]).read_bytes()
            file.write_bytes(damage(whole, rng))
            end = tried(read)
            if new := {path for place in places for path in place.iterdir()} - known:
                end = f"elsewhere: {sorted(new)}"
            rows.append((name, file.name, end))
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
