"""Find faces in pictures, videos or a webcam and name their expressions.

    python -m tools.predict PATH... [--format table|jsonl|csv] [--out FILE] [--draw DIR]

Reads   pictures, folders (recursively, by name), patterns (quoted: "holiday/**/*.jpg"), videos,
        or one picture from standard input (-); the first frame of a GIF.  From folders every
        visible picture, whatever its name; one line counts the other files by kind.
Writes  to standard output or --out, the faces of a picture from top to bottom, left to right:
        table   one line per face; probabilities in percent
        csv     one line per face: path, frame and second of a video, box (left, top, width,
                height in pixels of the upright picture, cut at its edges), the detector's score,
                label, the probability of each class, their entropy in nats
        jsonl   one line per picture: the same values, with "faces": [] if no face was found and
                "error" if the picture could not be read
        --draw  annotated copies as JPEG files, numbered in the order of the inputs
        Missing folders of --out and --draw are created.

Files that cannot be read and folders without pictures are named on standard error; the exit code
is then 1.  Nothing is sent over the network, and no other file is written.

Terms   Labels are apparent expressions as strangers would name them, not what a person feels.  The
        released network was fitted to research data gathered from the web, whose pictures keep
        their owners' rights: for research and teaching, without warranty (released/README.md;
        another network's terms are in its model card).  The EU AI Act forbids or restricts
        inferring emotions of people (README.md, Limits).
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from facial_expression.core.command import at_least, parser, processors
from facial_expression.core.errors import ParameterError, SourceError, run
from facial_expression.inference.released import released
from tools.arguments import new_file, share

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, checked against each other.

    Raises:
        ParameterError: a path is an address of the web.
    """
    arguments = parser("tools.predict", __doc__)
    add = arguments.add_argument
    add("paths", nargs="*", metavar="PATH", help="picture, folder, pattern, video, or - (stdin)")
    add("--camera", nargs="?", type=at_least(0), const=0, metavar="INDEX",
        help="read a webcam (default 0) until Ctrl-C or --frames")  # fmt: skip
    add("--format", choices=("table", "jsonl", "csv"), default="table", help="default: table")
    add("--out", type=new_file, metavar="FILE",
        help="write the lines to FILE, which is whole or absent")  # fmt: skip
    add("--draw", type=Path, metavar="DIR", help="folder for annotated copies")
    add("--model", type=Path, metavar="FILE", help="default: the released network")
    add("--no-detect", action="store_true", help="pictures are cropped faces, like the training "
        "pictures: use their largest centred square")  # fmt: skip
    add("--min-score", type=share, default=0.7, metavar="S",
        help="lowest score of the detector, 0 to 1 (default 0.7)")  # fmt: skip
    add("--min-face", type=at_least(1), default=16, metavar="PIXELS",
        help="smallest side of a face (default 16); from 50 on it saves time")  # fmt: skip
    add("--every", type=at_least(1), default=1, metavar="N", help="read every N-th frame")
    add("--frames", type=at_least(1), metavar="N", help="read at most N frames of each video")
    add("--threads", type=at_least(1, 1024), default=processors(),
        help="default: one per processor")  # fmt: skip
    add("--quiet", action="store_true", help="report only skipped files on standard error")
    args = arguments.parse_args(argv)
    if bool(args.paths) == (args.camera is not None):
        arguments.error("expected either PATH... or --camera")
    if "" in args.paths:  # an unset shell variable, which Path would read as the current folder
        arguments.error("expected PATH, found an empty text")
    if address := next(filter(ADDRESS.match, args.paths), None):
        raise ParameterError(
            f"expected a path, found the address {address}; download it first, or pass it on: "
            f"curl -sL {address} | python -m tools.predict -"
        )
    return args


def protect_inputs(args: argparse.Namespace, paths: Sequence[str]) -> None:
    """Check that no output replaces an input or another output.

    Raises:
        ParameterError: one would.
    """
    from tools.predict.inputs import STDIN

    drawings = args.draw and os.path.realpath(args.draw)
    if drawings in map(os.path.realpath, args.paths):
        raise ParameterError(f"--draw {args.draw}: expected a folder other than the inputs")
    if args.out and os.path.realpath(args.out.parent) == drawings:
        raise ParameterError(f"--out {args.out}: expected a file outside the folder of --draw")
    for path in [args.model, *(Path(path) for path in paths if path != STDIN)]:
        if args.out and args.out.exists() and path.exists() and path.samefile(args.out):
            raise ParameterError(f"--out {args.out}: expected a new file, found one of the inputs")
        if drawings and os.path.dirname(os.path.realpath(path)) == drawings:  # noqa: PTH120
            raise ParameterError(
                f"--draw {args.draw}: expected a folder without inputs, found {path}"
            )


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise SourceError("-: standard input is closed; name a file instead")
    return sys.stdin.buffer


def main(argv: Sequence[str] | None = None) -> None:
    """Predict and write; exit code 1 if a picture could not be read."""
    args = parse(argv)
    from tools.predict.inputs import counted, expand, names_video, sources

    inputs = expand(args.paths, args.draw and Path(os.path.realpath(args.draw)))
    paths = inputs.paths
    args.model = args.model or released()
    protect_inputs(args, paths)
    from facial_expression.inference.detection import Detector
    from facial_expression.inference.network import Network
    from facial_expression.inference.pipeline import predict
    from facial_expression.inference.video import camera, video
    from tools.predict import output
    from tools.predict.formats import notice, printable

    live = args.camera is not None
    # a camera's frames come one at a time; otherwise the threads work on different pictures
    inner = args.threads if live else 1
    network = Network(args.model, inner)
    find = None if args.no_detect else Detector(args.min_score, args.min_face, inner).find
    if live:
        pictures = camera(args.camera, args.every, args.frames)
    else:
        pictures = sources(paths, _stdin, partial(video, every=args.every, limit=args.frames))
    results = predict(
        pictures, network, find, workers=args.threads, live=live, keep=args.draw is not None
    )
    for folder in inputs.empty:
        output.say(f"no pictures in {printable(folder)}")
    if not args.quiet:
        if inputs.passed_over:
            output.say(printable(counted(inputs.passed_over)))
        unknown = live or (sys.stderr.isatty() and any(map(names_video, paths)))
        results = output.progress(results, None if unknown else len(paths), args.out)
    if args.draw and not all(name.isascii() for name in network.classes):
        output.say("--draw has ASCII letters only: boxes stand for others in the names of classes")
    if not output.write(
        results,
        network.classes,
        args.format,
        args.out,
        args.draw,
        quiet=args.quiet,
        live=live,
        notice=notice(network.facts),
        empty_folders=len(inputs.empty),
    ):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
