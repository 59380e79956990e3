"""Every reader of what a person can hand over, on a copy of a run: for benchmarks.fuzz and tests.

A reader ends in a result or in an error of ours, whatever one of its files holds.
"""

import contextlib
import io
import re
import shutil
import tarfile
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.measuring import peak_memory
from facial_expression.core import arrays, files, labels, params, tables
from facial_expression.core.errors import DatasetError, run
from facial_expression.export.card import Facts
from facial_expression.export.run import PER_CLASS, ExportParameters, described
from facial_expression.fetch.layout import normalise
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.index import ferplus
from facial_expression.index.table import IndexParameters, scan
from facial_expression.inference.network import Network
from facial_expression.inference.video import video
from facial_expression.network.recipe import Recipe
from facial_expression.pictures import archive
from facial_expression.pictures.images import decode
from facial_expression.plot.run import PlotParameters, draw
from facial_expression.preprocess.shards import read_index
from facial_expression.train import checkpoints
from tools import compare, info, label_sets, results
from tools.beside import find_temperature
from tools.evaluate import folders
from tools.report import page
from tools.report import run as report
from tools.sweep import space

LONGEST, LARGEST = 5.0, 10**9
"""Seconds of the processor and bytes of memory that a case may take."""
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "a.jpg": ("L", {}), "b.jpg": ("RGB", {"progressive": True}), "a.png": ("I;16", {}),
    "b.png": ("RGBA", {}), "c.png": ("P", {"transparency": 3}), "a.gif": ("P", {}),
    "a.bmp": ("RGB", {}), "a.tif": ("I;16", {"compression": "tiff_lzw"}),
    "b.tif": ("CMYK", {"compression": "tiff_adobe_deflate"}), "a.webp": ("RGBA", {}),
    "a.ppm": ("RGB", {}),
}  # fmt: skip
"""Of the reader of pictures: name -> mode of the picture, and how Pillow writes it."""


class Reader(NamedTuple):
    """What reads a run when one of some files in it is damaged.

    Attributes:
        share: of the cases of benchmarks.fuzz.
        files: the files; their names differ.
        read: reads the run; takes the damaged file.
    """

    share: int
    files: Sequence[Path]
    read: Callable[[Path], Any]

    def named(self, name: str) -> Path:
        """The file of that name."""
        (found,) = (path for path in self.files if path.name == name)
        return found


def readers(data: Path, root: Path) -> dict[str, Reader]:
    """The readers by name, on a copy in `root` of the run in `data`.

    Raises:
        DatasetError: a file of the run is missing or damaged.
    """
    shutil.copytree(data, root / "data", ignore=shutil.ignore_patterns("plots", "source"))
    shutil.copytree(data.parent / "conf", root / "conf")
    shutil.copy(data.parent / "params.yaml", root)
    (root / "out").mkdir()
    found = handed(root) | settings(root) | stages(root) | networks(root) | by_tools(root)
    if broken := [name for name, each in found.items() if tried(each, each.files[0]) != "read"]:
        raise DatasetError(f"{data}: expected a whole run, found damage for {', '.join(broken)}")
    return found


def tried(reader: Reader, file: Path) -> str:
    """How it ends, as a person would see it: "read", "refused", or a fault."""
    start, peak, end = time.process_time(), peak_memory(), "read"
    try:
        with (
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(action="ignore"),
        ):
            run(partial(reader.read, file))
    except SystemExit as error:
        end = "refused" if re.fullmatch("error: .+", str(error)) else f"lines: {error}"
    except BaseException as error:  # noqa: BLE001  whatever it is, it is what we look for
        end = f"traceback: {type(error).__name__}: {error}"
    if peak_memory() - peak > LARGEST:
        end = f"memory: {end}"
    return f"hang: {end}" if time.process_time() - start > LONGEST else end


def handed(root: Path) -> dict[str, Reader]:
    """Of sources, pictures and a video, which are made of 24 pictures of the run."""
    place, row = root / "handed", " ".join(["128"] * 48 * 48)
    place.mkdir()
    with zipfile.ZipFile(root / "data/raw/images.zip") as whole:
        some = {name: whole.read(name) for name in whole.namelist()[::97][:24]}
    files.write_zip(place / "images.zip", some.items())
    with zipfile.ZipFile(place / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in some.items():
            packed.writestr(name, data)
    with tarfile.open(place / "a.tar", "w") as tar, tarfile.open(place / "a.tgz", "w:gz") as small:
        for kind, (name, data) in [(kind, each) for each in some.items() for kind in (tar, small)]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            kind.addfile(member, io.BytesIO(data))
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
    sources = [place / name for name in ("a.zip", "a.tar", "a.tgz", "fer2013.csv")]
    rules = params.load(root / "conf/data/sample.yaml", "fetch", FetchParameters)

    def fetched(path: Path) -> None:
        normalise({"it": path}, root / "out/images.zip", rules)

    def picture(path: Path) -> None:
        decode(path.read_bytes())

    def members(path: Path) -> None:
        list(archive.read_members(path, archive.members(path).items()))
        scan(path, 1, searched=True)

    def frames(path: Path) -> None:
        for frame in video(str(path)):
            frame.read()

    return {
        "source": Reader(48, sources, fetched),
        "picture": Reader(44, [place / name for name in PICTURES], picture),
        "images": Reader(10, [place / "images.zip"], members),
        "video": Reader(2, [place / "a.avi"], frames),
    }


def settings(root: Path) -> dict[str, Reader]:
    """Of parameter files, and of the tables that they name."""
    conf, votes, people = root / "conf/data/sample.yaml", root / "votes.csv", root / "people.csv"
    paths = tables.read_table(root / "data/index/index.csv", {"path": str})["path"]
    tables.write_table(votes, pd.DataFrame({"path": paths, **dict.fromkeys(ferplus.COLUMNS, 1)}))
    tables.write_table(people, pd.DataFrame({"path": paths, "group": "a", "sex": "f", "age": 30}))

    def section(share: int, path: Path, name: str, kind: type) -> Reader:
        return Reader(share, [path], lambda path: params.load(path, name, kind))

    recipe, sweep = root / "conf/recipe/sample.yaml", root / "conf/sweep/sample.yaml"
    return {
        "fetch": section(8, conf, "fetch", FetchParameters),
        "index": section(8, conf, "index", IndexParameters),
        "export": section(8, conf, "export", ExportParameters),
        "train": section(16, recipe, "train", Recipe),
        "plot": section(4, root / "params.yaml", "plot", PlotParameters),
        "sweep": Reader(4, [sweep], space.read),
        "people": Reader(10, [people], tables.read_people),
        "exclude": Reader(
            6, [votes], lambda path: tables.read_table(path, {"path": str}, "", True)
        ),
        "votes": Reader(10, [votes], lambda path: ferplus.read_votes(path, paths)),
    }


def stages(root: Path) -> dict[str, Reader]:
    """Of what stages read of earlier ones, and of their own."""
    index, shards, scores, model = (
        root / "data" / name for name in ("index", "arrays", "evaluation", "model")
    )
    classes, resume, history = shards / "classes.json", root / "resume", model / "history.csv"
    checkpoints.write(
        resume, checkpoints.State([{"epoch": 1}], [np.ones((3, 4))], [], [np.ones(2)])
    )
    said = params.load(root / "conf/data/sample.yaml", "export", ExportParameters)
    used = params.load(root / "conf/recipe/sample.yaml", "train", Recipe)
    card = [root / "data/raw/source.json", index / "audit.json", scores / "scores.json"]
    plots = PlotParameters(50, "#112233", 1, 1, 1, 0)
    drawn = root / "data/raw/images.zip", index, shards, history, scores

    def split(_: Path) -> None:
        arrays.read_split(shards, "val", labels.read_classes(classes))

    def model_card(_: Path) -> None:
        source, audit, found = (files.read_json(path, "it") for path in card)
        per_class = tables.read_table(scores / "per_class.csv", PER_CLASS)
        described(Facts(said.texts(""), source, audit, found, per_class, "", asdict(used), "", 1),
                  said.crop)  # fmt: skip

    return {
        "table": Reader(10, [index / "index.csv"], read_index),
        "arrays": Reader(20, [classes, *(shards / "val").iterdir()], split),
        "card": Reader(20, [*card, scores / "per_class.csv"], model_card),
        "figures": Reader(
            1, [*scores.rglob("*.*"), *index.glob("*.csv"), history], lambda _: draw(plots, *drawn)
        ),
        "state": Reader(10, [resume / "state.npz"], lambda _: checkpoints.read(resume)),
    }


def networks(root: Path) -> dict[str, Reader]:
    """Of networks, and of what lies beside them."""
    place = root / "data/export"
    network, trained = place / "model.onnx", root / "data/model/model.keras"

    def onnx(path: Path) -> None:
        loaded = Network(path, 1)
        loaded.predict(np.zeros((2, loaded.side, loaded.side), np.uint8))

    def keras(path: Path) -> None:
        from facial_expression.network.keras_file import load_classifier  # noqa: PLC0415

        load_classifier(path, 7)

    return {
        "onnx": Reader(10, [network], onnx),
        "keras": Reader(3, [trained], keras),
        "classes": Reader(4, [place / "classes.json"], labels.read_classes),
        "temperature": Reader(4, [place / "calibration.json"], lambda _: find_temperature(network)),
    }


def by_tools(root: Path) -> dict[str, Reader]:
    """Of tools that read finished runs."""
    data, kept, faces = root / "data", root / "results", root / "faces/happy/a.png"
    card, active, run_kept = data / report.CARD, root / "params.yaml", kept / "fer2013-best"
    index, predicted = data / "index/index.csv", data / "evaluation/predictions/val.csv"
    numbers = [data / "evaluation/scores.json", data / "model/history.csv"]
    for name in results.SHOWN.values():
        (kept / name).mkdir(parents=True)
        for path in numbers:
            shutil.copy(path, kept / name)
    faces.parent.mkdir(parents=True)
    (data / "plots").mkdir()
    for path in (faces, *(data / f"plots/{name}.png" for name in report.PLOTS)):
        Image.new("L", (60, 9), 90).save(path)
    shown = [card, *(data / name for name in (*report.TABLES, *report.ENTRIES))]
    whole = predicted.read_bytes()
    marks = "".join(f"<!-- tools.results: {name} -->\n<!-- end -->" for name in results.TABLES)
    votes, paths = root / "joined.csv", tables.read_table(predicted, {"path": str})["path"]
    counts = dict.fromkeys(ferplus.COLUMNS, 0) | {"happiness": 10}
    tables.write_table(votes, pd.DataFrame({"path": paths, **counts}))

    def compared(path: Path) -> None:
        one, other = (compare.parse(each, "it") for each in (whole, path.read_bytes()))
        compare.compare_pair(one, other)
        compare.compare_seeds([one, other], [one, other])

    def evaluated(_: Path) -> None:
        folders.training_fingerprints(index)
        listed = folders.list_folders(faces.parents[1])
        folders.read_pictures(faces.parents[1], listed, {"happy": 0}, 48)

    def tabulated(_: Path) -> None:
        results.show(root)
        results.filled(marks, kept)
        results.write_parameters(root, root / "out/params.yaml")

    return {
        "report": Reader(
            10,
            [*shown, active, data / "plots/curves.png"],
            lambda _: page.render(report.read(data), [], []),
        ),
        "compare": Reader(6, [predicted], compared),
        "evaluate": Reader(6, [index, faces], evaluated),
        "results": Reader(
            6, [active, *(run_kept / name for name in ("scores.json", "history.csv"))], tabulated
        ),
        "label_sets": Reader(
            4,
            [predicted, votes],
            lambda _: label_sets.main([str(predicted), "--votes", str(votes)]),
        ),
        "info": Reader(1, [card], lambda path: info.main(["--card", "--model", str(path)])),
    }
