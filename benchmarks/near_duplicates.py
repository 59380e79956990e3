"""How often is a near-duplicate true?  Sheets of pairs for a person to look at, and what is found.

    python -m benchmarks.near_duplicates --images data/raw/images.zip --index data/index --out DIR

Writes one sheet for each band of similarity to DIR, a seeded choice of pairs of training and
validation pictures (never of test).  Count the true ones; docs/protocol.md keeps the counts.  Also
prints how many made copies of training pictures the search finds.  The sheets show the data set's
pictures: keep them where those may be.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.measuring import describe_machine
from facial_expression.core.files import read_csv
from facial_expression.index.audit import ALMOST_BLANK_STD
from facial_expression.index.near_duplicates import (
    RADIUS,
    SIDE,
    near_duplicates,
    perceptual_hashes,
    similarity,
)
from facial_expression.pictures.squares import read_squares
from facial_expression.plot.sheets import audit_sheet
from facial_expression.plot.style import png

BANDS = (0.7, 0.75, 0.8, 0.85, 0.9, 1.01)
SHOWN = 60  # pairs a sheet
Grey = NDArray[np.uint8]

COPIES: dict[str, Callable[[Grey], Grey]] = {
    "darker by 40 %": lambda grey: (grey * 0.6).astype(np.uint8),
    "mirrored": lambda grey: grey[..., ::-1],
    "moved by 1 pixel": lambda grey: np.roll(grey, 1, axis=2),
    "moved by 2 pixels": lambda grey: np.roll(grey, 2, axis=2),
    "moved by 3 pixels": lambda grey: np.roll(grey, 3, axis=2),
    "noise of 16 grey levels": lambda grey: (
        (grey + np.random.default_rng(0).normal(0, 16, grey.shape)).clip(0, 255).astype(np.uint8)
    ),
}


def halved(pictures: Grey) -> Grey:
    """Thumbnails of squares twice as large: uint8 (N, 2S, 2S) -> (N, S, S)."""
    count, side, _ = pictures.shape
    blocks = pictures.reshape(count, side // 2, 2, side // 2, 2)
    return blocks.mean(axis=(2, 4)).round().astype(np.uint8)


def print_copies(pictures: Grey, least: float) -> None:
    """Print the share of copies that are candidates and alike, for each way of copying."""
    original = halved(pictures)
    for name, change in COPIES.items():
        copy = halved(change(pictures))
        mirrored = name == "mirrored"
        turned = copy[..., ::-1] if mirrored else copy
        near = np.bitwise_count(perceptual_hashes(original) ^ perceptual_hashes(turned)) <= RADIUS
        threshold = least + (1 - least) / 4 if mirrored else least
        found = near & (similarity(original, turned) >= threshold)
        print(f"  {name:<24} {100 * found.mean():.1f} % of {len(found):,} found")


def main(argv: Sequence[str] | None = None) -> None:
    """Draw a sheet for each band, print the counts."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.near_duplicates",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=Path, required=True, help="images.zip")
    parser.add_argument("--index", type=Path, required=True, help="folder; reads index.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    parser.add_argument("--least", type=float, default=0.8, help="the threshold")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    args = parser.parse_args(argv)
    print(describe_machine(["numpy", "scipy", "pillow"]))

    paths = [
        row["path"]
        for row in read_csv(args.index / "index.csv")
        if row["split"] != "test"
        and not row["duplicate_of"]
        and float(row["std"]) >= ALMOST_BLANK_STD
    ]
    thumbnails = read_squares(args.images, paths, SIDE, workers=2)
    hashes = perceptual_hashes(thumbnails)
    found, more = (
        near_duplicates(hashes, least, lambda places: thumbnails[places], threads=2)
        for least in (args.least, BANDS[0])
    )
    pairs = found + [pair for pair in more if pair.similarity < args.least]
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(args.seed)
    for low, high in pairwise(BANDS):
        band = [pair for pair in pairs if low <= pair.similarity < high]
        chosen = sorted(rng.choice(len(band), min(SHOWN, len(band)), replace=False).tolist())
        shown = [
            (paths[pair.first], f"from {low}", paths[pair.second], pair.similarity)
            for pair in (band[place] for place in chosen)
        ]
        names = sorted({name for row in shown for name in (row[0], row[2])})
        squares = dict(zip(names, read_squares(args.images, names, 96, workers=1), strict=True))
        sheet = audit_sheet(
            pd.DataFrame(shown, columns=["path", "kind", "partner", "score"]),
            {f"from {low}": len(band)},
            squares,
        )
        (args.out / f"from_{low}.png").write_bytes(png(sheet, 100))
        print(f"  similarity from {low}: {len(band):,} pairs, {len(shown)} shown")
    some = sorted(rng.choice(len(paths), min(1000, len(paths)), replace=False).tolist())
    chosen_paths = [paths[place] for place in some]
    print_copies(read_squares(args.images, chosen_paths, 2 * SIDE, workers=1), args.least)


if __name__ == "__main__":
    main()
