"""Put the committed state of the sample into the embedded remote, and nothing else.

    python -m tools.release           push, then stage in git the objects that dvc.lock names
    python -m tools.release --run DIR first make released/ from the finished run in the clone DIR
    python -m tools.release --check   only say whether git tracks exactly those

The embedded remote `.dvc/remote` travels with git so that a clone pulls without an account.  Git
ignores the folder, so a `dvc push` alone never adds a picture to a commit: only this command does,
and only for objects that dvc.lock and the files in released/ name.
"""

import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facial_expression.core.command import parser
from facial_expression.core.errors import PipelineError, run
from facial_expression.core.files import read_json, sha256_of, write_text, write_zip
from facial_expression.core.params import read_yaml
from facial_expression.core.tables import read_table, write_table

REMOTE = Path(".dvc/remote")
OBJECTS = REMOTE / "files" / "md5"
IGNORED = """\
# Only `python -m tools.release` adds objects here (docs/remotes.md)
*
!*/
!.gitignore
"""
LARGEST_REMOTE = 20_000_000  # bytes that travel with every clone
LARGEST_FILE = 10_000_000  # bytes of a file in released/
NAME = "expression"
KERAS, ONNX, INT8 = (f"released/{NAME}{end}" for end in (".keras", ".onnx", "-int8.onnx"))
WEIGHTS = "model.weights.h5"  # in a .keras file
AGAIN = "dvc repro in that clone"
THREADS, BATCH_SIZE = 2, 64  # the int8 form is timed with them


def output(command: Sequence[str], folder: Path) -> str:
    """What a program that is started in `folder` writes to its standard output.

    Raises:
        PipelineError: it failed; the message is the end of what it said.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())[-500:]
        raise PipelineError(f"{' '.join(command)} failed: {said}")
    return done.stdout


def dvc(folder: Path, *arguments: str) -> str:
    """What a DVC command prints."""
    return output([sys.executable, "-m", "dvc", *arguments], folder)


def named_objects(root: Path) -> set[Path]:
    """Paths, relative to `root`, of the objects of the remote that dvc.lock and released/ name."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
        hashes = {str(out.hash_info.value) for out in outs}
    for md5 in [md5 for md5 in hashes if md5.endswith(".dir")]:
        listing = root / object_path(md5)
        if listing.exists():
            hashes |= {entry["md5"] for entry in json.loads(listing.read_text(encoding="utf-8"))}
    return {object_path(md5) for md5 in hashes}


def tracked_objects(root: Path) -> set[Path]:
    """Paths, relative to `root`, of the objects in the remote that git tracks."""
    listed = output(["git", "ls-files", "-z", "--", str(OBJECTS)], root).split("\0")
    return {Path(name) for name in listed if name}


def object_path(md5: str) -> Path:
    """Where a local DVC remote keeps the object with this hash."""
    return OBJECTS / md5[:2] / md5[2:]


def check(root: Path) -> None:
    """Raise PipelineError unless git tracks exactly the named objects, and they are small."""
    named, tracked = named_objects(root), tracked_objects(root)
    strange, missing = sorted(tracked - named), sorted(named - tracked)
    if strange or missing:
        shown = ", ".join(map(str, [*strange, *missing][:3]))
        raise PipelineError(
            f"{REMOTE}: expected git to track exactly the objects that dvc.lock and released/ "
            f"name, found {len(strange)} others and {len(missing)} missing ({shown}); "
            "run python -m tools.release"
        )
    size = sum((root / path).stat().st_size for path in named)
    if size > LARGEST_REMOTE:
        raise PipelineError(
            f"{REMOTE}: {size / 1e6:.1f} MB, at most {LARGEST_REMOTE / 1e6:.0f} MB may travel with "
            "every clone; release a smaller network, or make plot.dpi smaller"
        )
    print(f"{REMOTE}: {len(named)} objects, {size / 1e6:.1f} MB")


def release(root: Path) -> None:
    """Push the sample's outputs to the embedded remote and stage them, dropping older objects.

    Raises:
        PipelineError: the active data set is not the sample, or the pipeline is not up to date.
    """
    active = read_yaml(root / "params.yaml")["data"]
    if active != "sample":
        raise PipelineError(
            f"params.yaml: expected data: sample, found {active}; only the drawn sample may enter "
            "the embedded remote"
        )
    _check_up_to_date(root)
    dvc(root, "push", "--remote", "sample")
    named, tracked = named_objects(root), tracked_objects(root)
    for path in tracked - named:  # what git does not track may be somebody's own push: it stays
        (root / path).unlink(missing_ok=True)
    # Whoever copies the repository into a larger one adds these objects by a plain `git add`.
    listed = "".join(f"!/{path.relative_to(REMOTE).as_posix()}\n" for path in sorted(named))
    write_text(root / REMOTE / ".gitignore", IGNORED + listed)
    paths = sorted(map(str, {REMOTE / ".gitignore"} | named | tracked))
    output(["git", "add", "--all", "--force", "--", *paths], root)
    print(f"staged {len(named)} objects; commit them together with dvc.lock")


def network_from(source: Path, root: Path) -> None:
    """Make released/ in the repository `root` from the run in the clone `source`.

    The weights are rounded to half precision, so that they are small; the rounded network is then
    scored, converted and described by the stages evaluate and export on the run's arrays, so that
    every figure in released/ belongs to the files there.  An int8 form is added if it is faster on
    this machine.

    Raises:
        PipelineError: the run is not finished or was changed, its protocol is not clean, its ONNX
            form differs from its Keras form, a file is too large, or a stage fails.
    """
    from facial_expression.network.backend import configure
    from tools import quantise
    from tools.results import write_parameters

    check_run(source)
    _check_up_to_date(source)
    before = sha256_of(root / KERAS) if (root / KERAS).exists() else ""
    active = read_yaml(source / "params.yaml")
    data, recipe = f"conf/data/{active['data']}.yaml", f"conf/recipe/{active['recipe']}.yaml"
    arrays, index = source / "data/arrays", source / "data/index"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        model, evaluation, export = made / "model.keras", made / "evaluation", made / "export"
        halve(source / "data/model/model.keras", model)
        configure("tensorflow", 1)
        from facial_expression.network.keras_file import save_portable

        save_portable(model, model)  # as older versions of Keras read it
        shared = ("--recipe", source / recipe, "--arrays", arrays, "--model", model)
        _stage(root, "evaluate", *shared, "--params", source / data, "--index", index,
               "--people", source / "data/raw/people.csv", "--out", evaluation)  # fmt: skip
        _stage(root, "export", *shared, "--params", root / data, "--audit", index / "audit.json",
               "--source", source / "data/raw/source.json", "--evaluation", evaluation,
               "--out", export)  # fmt: skip
        int8 = export / "int8.onnx"
        faster = quantise.make(export / "model.onnx", arrays, int8, THREADS, BATCH_SIZE)
        card = export / "model_card.md"
        text = card.read_text(encoding="utf-8")
        for form in ("onnx", "keras"):
            text = text.replace(f"model.{form}", f"{NAME}.{form}")  # its code runs beside the file
        write_text(card, text)
        take(
            {KERAS: model, ONNX: export / "model.onnx"}
            | ({INT8: int8} if faster else {})
            | {"released/scores.json": evaluation / "scores.json"}
            | {"released/confusion.csv": count(evaluation / "confusion.csv", made)}
            | {
                f"released/{name}": export / name
                for name in ("classes.json", "calibration.json", "parity.json", "model_card.md")
            },
            root,
        )
    write_parameters(source, root / "released/params.yaml")
    if not faster:
        print("int8 is not faster on this machine: released without it")
        if (root / f"{INT8}.dvc").exists():  # of an earlier release
            dvc(root, "remove", f"{INT8}.dvc")
            (root / INT8).unlink(missing_ok=True)
    dvc(root, "add", KERAS, ONNX, *([INT8] if faster else []))
    for path in (root / "conf/recipe").glob("*.yaml"):  # that start from the released weights
        text = path.read_text(encoding="utf-8")
        if before and before in text:
            write_text(path, text.replace(before, sha256_of(root / KERAS)))


def halve(source: Path, target: Path) -> None:
    """Copy a `.keras` file with arrays of more than one axis as float16; it loads like any other.

    Equal files give equal bytes.
    """
    import h5py

    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    with h5py.File(io.BytesIO(members[WEIGHTS])) as whole, h5py.File(stream, "w") as half:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = half.require_group(name)
            else:
                values = item[()].astype(np.float16) if item.ndim > 1 else item[()]
                made = half.create_dataset(name, data=values)
            made.attrs.update(item.attrs)

        whole.visititems(copy)
    members[WEIGHTS] = stream.getvalue()
    write_zip(target, members.items(), permissions=0o600)


def count(confusion: Path, folder: Path) -> Path:
    """Write how many pictures have each actual and predicted class, to `folder`; the file."""
    pairs = read_table(confusion, {"actual": str, "predicted": str}).groupby(
        ["actual", "predicted"]
    )
    written = folder / "confusion.csv"
    write_table(written, pairs.size().reset_index(name="count"))
    return written


def take(files: dict[str, Path], root: Path) -> None:
    """Copy files to the places below `root` that are their keys, once all are small enough.

    Raises:
        PipelineError: a file is too large to be released.
    """
    for name, path in files.items():
        if path.stat().st_size > LARGEST_FILE:
            raise PipelineError(
                f"{name}: {path.stat().st_size / 1e6:.1f} MB, at most {LARGEST_FILE / 1e6:.0f} MB "
                "may be released; release a smaller network"
            )
    for name, path in files.items():
        shutil.copyfile(path, root / name)


def check_run(source: Path) -> None:
    """Raise PipelineError unless the run's protocol is clean and its ONNX form is its twin."""
    from facial_expression.export.parity import Parity

    protocol = read_json(source / "data/evaluation/scores.json", AGAIN).get("protocol")
    if protocol != "clean":
        raise PipelineError(
            f"{source}: expected a run of the protocol clean, found {protocol}; only a network "
            "that was scored without leaks is released"
        )
    path = source / "data/export/parity.json"
    kept = read_json(path, AGAIN)
    try:
        found = Parity(**{name: kept[name] for name in Parity._fields})
        holds = found.n > 0 and found.holds
    except (KeyError, TypeError) as error:
        raise PipelineError(
            f"{path}: expected what the export stage writes, found no {error}; run dvc repro there"
        ) from None
    if not holds:
        raise PipelineError(
            f"{source}: model.onnx differs from model.keras ({found.other_class} other classes of "
            f"{found.n} pictures, probabilities up to {found.largest_difference} apart); run the "
            "export stage again"
        )


def _check_up_to_date(root: Path) -> None:
    changed = json.loads(dvc(root, "status", "--json"))
    if changed:
        raise PipelineError(
            f"{root}: expected the files that dvc.lock names, found changes in "
            f"{', '.join(changed)}; run dvc pull and dvc repro there"
        )


def _stage(root: Path, name: str, *arguments: str | Path) -> None:
    print(output([sys.executable, "-m", f"stages.{name}", *map(str, arguments)], root), end="")


def main(argv: Sequence[str] | None = None) -> None:
    """Release, or check."""
    command = parser("tools.release", __doc__)
    what = command.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing")
    what.add_argument("--run", type=Path, metavar="DIR", help="a clone with a finished run")
    args = command.parse_args(argv)
    root = Path.cwd()
    if args.run:
        network_from(args.run.resolve(), root)
    if not args.check:
        release(root)
    check(root)


if __name__ == "__main__":
    run(main)
