"""Put the committed state of the sample into the embedded remote, and nothing else.

    python -m tools.release           push, then stage in git the objects that dvc.lock names
    python -m tools.release --run DIR first make released/ from the finished run in the clone DIR
    python -m tools.release --check   only say whether git tracks exactly those

The embedded remote `.dvc/remote` travels with git so that a clone pulls without an account.  Git
ignores the folder, so a `dvc push` alone never adds a picture to a commit: only this command does,
and only for objects that the committed dvc.lock and the files in released/ name.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facial_expression.core.errors import PipelineError, run
from tools.release.programs import output

REMOTE = Path(".dvc/remote")
OBJECTS = REMOTE / "files" / "md5"
LARGEST = 20_000_000  # bytes that travel with every clone


def named_objects(root: Path) -> set[Path]:
    """Paths, relative to `root`, of the objects in the remote that dvc.lock and released/ name."""
    files = [root / "dvc.lock", *sorted((root / "released").glob("*.dvc"))]
    hashes = {md5 for path in files if path.exists() for md5 in _hashes(_yaml(path))}
    for md5 in [md5 for md5 in hashes if md5.endswith(".dir")]:
        listing = root / object_path(md5)
        if listing.exists():
            hashes |= {entry["md5"] for entry in json.loads(listing.read_text(encoding="utf-8"))}
    paths = {object_path(md5) for md5 in hashes}
    return {path for path in paths if (root / path).exists()}  # metrics are in git, not here


def tracked_objects(root: Path) -> set[Path]:
    """Paths, relative to `root`, of the objects in the remote that git tracks."""
    listed = _git(root, "ls-files", "-z", "--", str(OBJECTS)).split("\0")
    return {Path(name) for name in listed if name}


def object_path(md5: str) -> Path:
    """Where a local DVC remote keeps the object with this hash."""
    return OBJECTS / md5[:2] / md5[2:]


def check(root: Path) -> None:
    """Raise PipelineError unless git tracks exactly the named objects."""
    named, tracked = named_objects(root), tracked_objects(root)
    strange, missing = sorted(tracked - named), sorted(named - tracked)
    if strange or missing:
        shown = ", ".join(map(str, [*strange, *missing][:3]))
        raise PipelineError(
            f"{REMOTE}: expected git to track exactly the objects that dvc.lock and released/ "
            f"name, found {len(strange)} others and {len(missing)} missing ({shown}); "
            "run python -m tools.release"
        )
    if (size := size_of(root, named)) > LARGEST:
        raise PipelineError(
            f"{REMOTE}: {size / 1e6:.1f} MB, at most {LARGEST / 1e6:.0f} MB may travel with every "
            "clone; release a smaller network, or make plot.dpi smaller"
        )


def size_of(root: Path, objects: set[Path]) -> int:
    """Bytes of the objects, whose paths are relative to `root`."""
    return sum((root / path).stat().st_size for path in objects)


def release(root: Path) -> None:
    """Push the sample's outputs to the embedded remote and stage them, dropping older objects.

    Raises:
        PipelineError: the active data set is not the sample, or the pipeline is not up to date.
    """
    active = _yaml(root / "params.yaml")["data"]
    if active != "sample":
        raise PipelineError(
            f"params.yaml: expected data: sample, found {active}; only the drawn sample may enter "
            "the embedded remote"
        )
    status = json.loads(output([sys.executable, "-m", "dvc", "status", "--json"], root))
    if status:
        raise PipelineError(f"dvc.lock is out of date for {', '.join(status)}; run dvc repro first")
    output([sys.executable, "-m", "dvc", "push", "--remote", "sample"], root)
    named = named_objects(root)
    tracked = tracked_objects(root)
    for path in tracked - named:  # what git does not track may be somebody's own push: it stays
        (root / path).unlink(missing_ok=True)
    _git(root, "add", "--all", "--force", "--", *sorted(map(str, named | tracked)))
    size = size_of(root, named) / 1e6
    print(f"staged {len(named)} objects, {size:.1f} MB; commit them together with dvc.lock")


def _hashes(value: Any) -> Iterator[str]:
    """Every md5 of an output in a lock file or a .dvc file."""
    if isinstance(value, dict):
        for out in value.get("outs", []):
            if "md5" in out:
                yield out["md5"]
        for key, item in value.items():
            if key not in ("outs", "deps"):
                yield from _hashes(item)


def _yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def _git(root: Path, *arguments: str) -> str:
    return output(["git", *arguments], root)


def main(argv: Sequence[str] | None = None) -> None:
    """Release, or check."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing")
    what.add_argument("--run", type=Path, metavar="DIR", help="a clone with a finished run")
    args = parser.parse_args(argv)
    root = Path.cwd()
    if args.run:
        from tools.release.steps import network_from

        network_from(args.run.resolve(), root)
    if not args.check:
        release(root)
    check(root)


if __name__ == "__main__":
    run(main)
