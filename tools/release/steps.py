"""The files of released/, made from a finished run."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facial_expression.core.errors import PipelineError
from facial_expression.core.files import sha256_of, write_text
from facial_expression.export.parity import Parity
from tools import quantise
from tools.release.programs import output
from tools.results import write_parameters

NAME = "expression"
LARGEST = 10_000_000  # bytes of a file in released/
TRACKED = [f"released/{NAME}.keras", f"released/{NAME}.onnx"]
INT8 = f"released/{NAME}-int8.onnx"
THREADS, BATCH_SIZE = 2, 64  # that the int8 form is timed with


def network_from(source: Path, root: Path) -> None:
    """Make released/ in the repository `root` from the run in the clone `source`.

    The weights are rounded to half precision, so that they are small; the rounded network is then
    scored, converted and described anew by the stages evaluate and export on the run's arrays, so
    that every figure in released/ is that of the files that lie there.  An int8 form comes with
    it where that is faster on this machine.

    Raises:
        PipelineError: the run is not finished or was changed, its protocol is not clean, its ONNX
            form does not say what its Keras form says, or a stage fails.
    """
    check_run(source)
    status = json.loads(output([sys.executable, "-m", "dvc", "status", "--json"], source))
    if status:
        raise PipelineError(
            f"{source}: expected a run whose files are those of its dvc.lock, found changes in "
            f"{', '.join(status)}; run dvc repro there"
        )
    weights = root / f"released/{NAME}.keras"
    before = sha256_of(weights) if weights.exists() else ""
    active = YAML(typ="safe").load(source / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        arrays, model = source / "data/arrays", made / "model.keras"
        _round(source / "data/model/model.keras", model)
        recipe = source / f"conf/recipe/{active['recipe']}.yaml"
        shared = ("--recipe", recipe, "--arrays", arrays, "--model", model)
        data = f"conf/data/{active['data']}.yaml"
        index, evaluation = source / "data/index", made / "evaluation"
        _stage(root, "evaluate", *shared, "--params", source / data, "--index", index,
               "--out", evaluation)  # fmt: skip
        _stage(root, "export", *shared, "--params", root / data, "--audit", index / "audit.json",
               "--source", source / "data/raw/source.json", "--evaluation", evaluation,
               "--out", made / "export")  # fmt: skip
        int8 = made / "export/int8.onnx"
        faster = quantise.make(made / "export/model.onnx", arrays, int8, THREADS, BATCH_SIZE)
        _take(made, root / "released")
    if not faster:
        print("int8 is not faster on this machine: released without it")
        _forget(root, INT8)
    write_parameters(source, root / "released/params.yaml")
    tracked = [*TRACKED, INT8] if faster else TRACKED
    output([sys.executable, "-m", "dvc", "add", *tracked], root)
    if before:
        _pin(root / "conf/recipe", before, sha256_of(weights))


def check_run(source: Path) -> None:
    """Raise PipelineError unless the run's figures are clean ones and its ONNX form is its twin."""
    metrics = _json(source / "data/evaluation/metrics.json")
    if (protocol := metrics.get("protocol")) != "clean":
        raise PipelineError(
            f"{source}: expected a run of the protocol clean, found {protocol}; only a network "
            "whose figures stand up is released"
        )
    path = source / "data/export/parity.json"
    kept = _json(path)
    try:
        found = Parity(**{name: kept[name] for name in Parity._fields})
        holds = found.n > 0 and found.holds
    except (KeyError, TypeError) as error:
        raise PipelineError(
            f"{path}: expected what the export stage writes, lacks {error}; run dvc repro there"
        ) from None
    if not holds:
        raise PipelineError(
            f"{source}: model.onnx does not say what model.keras says "
            f"({found.other_class} other classes of {found.n} pictures, probabilities up to "
            f"{found.largest_difference} apart); run the export stage again"
        )


def _pin(recipes: Path, before: str, after: str) -> None:
    """Let the recipes that start from the released weights name the new ones."""
    for path in sorted(recipes.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if before in text:
            write_text(path, text.replace(before, after))


def _forget(root: Path, path: str) -> None:
    """Remove what an earlier release tracked at `path`, if it did."""
    if (root / f"{path}.dvc").exists():
        output([sys.executable, "-m", "dvc", "remove", f"{path}.dvc"], root)
        (root / path).unlink(missing_ok=True)


def _take(made: Path, released: Path) -> None:
    files = {
        f"{NAME}.keras": made / "model.keras",
        f"{NAME}.onnx": made / "export/model.onnx",
        "metrics.json": made / "evaluation/metrics.json",
        **{
            name: made / "export" / name
            for name in ("classes.json", "calibration.json", "parity.json", "model_card.md")
        },
    }
    if (int8 := made / "export/int8.onnx").exists():
        files[Path(INT8).name] = int8
    for name, path in files.items():
        if path.stat().st_size > LARGEST:
            raise PipelineError(
                f"{name}: {path.stat().st_size / 1e6:.1f} MB, at most {LARGEST / 1e6:.0f} MB may "
                "be released; release a smaller network"
            )
    card = made / "export/model_card.md"
    text = card.read_text(encoding="utf-8")
    for form in ("onnx", "keras"):
        text = text.replace(f"model.{form}", f"{NAME}.{form}")  # the card's code runs beside it
    write_text(card, text)
    for name, path in files.items():
        shutil.copyfile(path, released / name)


def _round(source: Path, target: Path) -> None:
    """Write the network with its kernels in half precision."""
    from facial_expression.network.backend import configure

    configure("tensorflow", 1)
    from facial_expression.network import keras_file

    keras_file.save(keras_file.load(source), target, half=True)


def _stage(root: Path, name: str, *arguments: str | Path) -> None:
    print(output([sys.executable, "-m", f"stages.{name}", *map(str, arguments)], root), end="")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PipelineError(
            f"{path}: expected a finished run of this version: {reason}; run dvc repro there"
        ) from None
    if not isinstance(found, dict):
        raise PipelineError(f"{path}: expected an object, found {found!r}; run dvc repro there")
    return found
