"""Find faces on pictures, in videos or before a camera and say what they express.

    python -m tools.predict PATH... [--format table|jsonl|csv] [--out FILE] [--draw DIR]

Reads   pictures, folders (all that is below, by name), patterns (quoted: "holiday/**/*.jpg"),
        videos, or one picture from standard input (-); of a GIF its first frame.  From folders only
        what has the suffix of a picture and is not hidden; a file that is named is read whatever
        it is called.
Writes  to standard output or --out:
        table   a line a face; probabilities in percent
        csv     a line a face: path, frame of a video, box (left, top, width, height in pixels of
                the upright picture), score of the detector, label, one probability a class, their
                entropy in nats
        jsonl   a line a picture: the same, with "faces": [] where none was found, and "error" in
                its place where the picture could not be read
        --draw  annotated copies as JPEG files, numbered in the order of the inputs

What cannot be read is named on standard error and left out; the exit code is then 1.  Nothing is
sent anywhere, and nothing but these files is written.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from facial_expression.core.command import RELEASED, at_least, new_file, processors, share
from facial_expression.core.errors import ParameterError, SourceError, run
from tools.predict.recording import Output, record, say

if TYPE_CHECKING:
    from facial_expression.inference.pipeline import Find
    from facial_expression.inference.sources import Source


def find_sources(args: argparse.Namespace) -> Iterator[Source]:
    """The pictures that the arguments name."""
    from facial_expression.inference import sources
    from facial_expression.inference.video import camera, video

    if args.camera is not None:
        return camera(args.camera, args.every, args.frames)
    frames = partial(video, every=args.every, limit=args.frames)
    return sources.sources(find_paths(args), _stdin, frames)


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise SourceError("-: standard input is closed; name a file instead")
    return sys.stdin.buffer


def find_faces(args: argparse.Namespace) -> Find | None:
    """What finds faces; None for ready crops."""
    if args.no_detect:
        return None
    from facial_expression.inference.detection import Detector

    return Detector(args.min_score, args.min_face, inner_threads(args)).find


def inner_threads(args: argparse.Namespace) -> int:
    """Threads for one picture: several only where one picture is all there is to do at a time."""
    return 1 if args.camera is None else int(args.threads)


def find_paths(args: argparse.Namespace) -> Iterator[str]:
    """The files that the arguments name."""
    from facial_expression.inference.sources import expand

    return expand(args.paths, args.draw and Path(os.path.realpath(args.draw)))


def total(args: argparse.Namespace) -> int | None:
    """How many pictures there are to see; None where a camera or a video does not say."""
    from facial_expression.inference.sources import VIDEOS

    if args.camera is not None:
        return None
    suffixes = Counter(Path(path).suffix.lower() for path in find_paths(args))
    return None if VIDEOS & suffixes.keys() else suffixes.total()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, checked against each other."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="picture, folder, pattern, video, or - (stdin)")
    add("--camera", nargs="?", type=at_least(0), const=0, metavar="INDEX",
        help="look through a camera (default 0) until Ctrl-C or --frames")  # fmt: skip
    add("--format", choices=("table", "jsonl", "csv"), default="table", help="default: table")
    add("--out", type=new_file, metavar="FILE", help="write there, all or nothing")
    add("--draw", type=Path, metavar="DIR", help="folder for annotated copies")
    add("--model", type=Path, default=RELEASED, help="default: released/expression.onnx")
    add("--no-detect", action="store_true", help="each picture is a face, cropped as the training "
        "pictures: take its largest centred square")  # fmt: skip
    add("--min-score", type=share, default=0.7, metavar="S",
        help="least score of the detector, 0 to 1 (default 0.7)")  # fmt: skip
    add("--min-face", type=at_least(1), default=16, metavar="PIXELS",
        help="least side of a face (default 16)")  # fmt: skip
    add("--every", type=at_least(1), default=1, metavar="N", help="take every N-th frame")
    add("--frames", type=at_least(1), metavar="N", help="take N frames of a video at most")
    add("--threads", type=at_least(1), default=processors(), help="default: one a processor")
    add("--quiet", action="store_true", help="say on standard error only what was skipped")
    args = parser.parse_args(argv)
    if bool(args.paths) == (args.camera is not None):
        parser.error("expected PATH... or --camera, and not both")
    if "" in args.paths:  # it would be the current folder, where somebody's variable was not set
        parser.error("expected PATH, found an empty one")
    return args


def spare_what_is_read(args: argparse.Namespace) -> None:
    """See that nothing that is written takes the place of what is read, or of what is written.

    Raises:
        ParameterError: it would.
    """
    from facial_expression.inference.sources import STDIN

    if args.draw and os.path.realpath(args.draw) in map(os.path.realpath, args.paths):
        raise ParameterError(f"--draw {args.draw}: expected another folder than those to be read")
    drawn = args.draw and args.draw.resolve()
    if args.out and args.out.resolve().parent == drawn:
        raise ParameterError(f"--out {args.out}: expected a place outside the folder of --draw")
    if not (args.draw or (args.out and args.out.exists())):
        return
    for path in [args.model, *(Path(path) for path in find_paths(args) if path != STDIN)]:
        if args.out and args.out.exists() and path.exists() and path.samefile(args.out):
            raise ParameterError(
                f"--out {args.out}: expected a file of its own, found one that is to be read"
            )
        if path.resolve().parent == drawn:
            raise ParameterError(
                f"--draw {args.draw}: expected a folder without what is to be read, found {path}"
            )


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, look, write; exit code 1 if something could not be read."""
    args = parse(argv)
    spare_what_is_read(args)
    from facial_expression.inference.network import Network
    from facial_expression.inference.pipeline import predict
    from facial_expression.inference.records import about

    network = Network(args.model, inner_threads(args))
    find = find_faces(args)
    if not args.quiet:
        say(about(args.model.name, network.facts))
    seen = predict(
        find_sources(args),
        network,
        find,
        workers=args.threads,
        live=args.camera is not None,
        keep=args.draw is not None,
    )
    output = Output(
        args.format, args.out, args.draw, args.quiet, args.camera is not None, partial(total, args)
    )
    try:
        if not record(seen, network.classes, output):
            sys.exit(1)
    except BrokenPipeError:  # whoever read has read enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run(main)
