"""Draw the pictures of README.md.

    python -m tools.pictures [--out docs/pictures]

Reads   what a clone has after `dvc pull`: released/, results/fer2013-best/, and the sample's run in
        data/.  Chromium takes the screenshot of the report, if it is installed.
Writes  OUT/faces.png      drawn faces, marked by `tools.predict --draw` with the released network
        OUT/report.png     the head of the report that `tools.report` makes of the run in data/
        OUT/confusion.png  the released network on FER2013's PrivateTest (released/confusion.csv)
        OUT/curves.png     loss and accuracy of the run in results/fer2013-best

No picture shows a person: code draws the faces, and everything else is numbers.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import write_bytes

SHOWN = 920  # pixels that the README is wide
HEAD = 620  # pixels of the report that are shown
INK = "#222222"
FLAGS = ("headless", "no-sandbox", "disable-gpu", "hide-scrollbars", "no-first-run")


def small_png(picture: Image.Image) -> bytes:
    """The picture as PNG, at most SHOWN pixels wide and with at most 256 colours."""
    if picture.width > SHOWN:
        size = (SHOWN, round(picture.height * SHOWN / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    few = picture.convert("RGB").quantize(256, kmeans=1, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def draw_faces(folder: Path) -> Image.Image:
    """Drawn faces with the released network's answers, the drawn expression above each."""
    from tools.predict.__main__ import main as predict
    from tools.web.examples import SCALE, draw

    side, caption, columns = 48 * SCALE, 64, 4
    faces = draw()
    rows = -(-len(faces) // columns)
    sheet = Image.new("RGB", (columns * side, rows * (side + caption)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(0.6 * caption)
    for place, (name, face) in enumerate(faces.items()):
        left, top = place % columns * side, place // columns * (side + caption)
        pen.text((left + side // 2, top + caption // 2), f"drawn: {name}", INK, font, anchor="mm")
        sheet.paste(Image.open(io.BytesIO(face)), (left, top + caption))
    key = "black: what is\ndrawn\n\nyellow: what the\nnetwork says"
    pen.text((sheet.width - side // 2, sheet.height - side // 2), key, INK, font, anchor="mm")
    unmarked, marked = folder / "faces.png", folder / "marked"
    sheet.save(unmarked)
    predict([str(unmarked), "--draw", str(marked), "--out", str(folder / "faces.txt"), "--quiet"])
    (path,) = marked.iterdir()
    return Image.open(path)


def photograph(browser: str, page: Path, target: Path) -> Image.Image:
    """The head of a page, as the browser shows it, in a thin frame."""
    size = f"--window-size={SHOWN - 2},{HEAD}"
    flags = [f"--{flag}" for flag in FLAGS] + [f"--user-data-dir={target.parent / 'profile'}", size]
    command = [browser, *flags, f"--screenshot={target}", page.as_uri()]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    return ImageOps.expand(Image.open(target).convert("RGB"), 1, "#cccccc")


def draw_charts() -> dict[str, Image.Image]:
    """The confusion matrix of the released network, and curves of a reference run."""
    from facial_expression.core.labels import read_classes
    from facial_expression.core.params import load
    from facial_expression.core.tables import read_table
    from facial_expression.plot import figures
    from facial_expression.plot.run import PlotParameters, read
    from facial_expression.plot.style import png

    look = load(Path("params.yaml"), "plot", PlotParameters)
    classes = read_classes(Path("released/classes.json"))
    counts = read_table(Path("released/confusion.csv"), {"count": int})
    confusion = counts.loc[counts.index.repeat(counts["count"])]
    history = read(Path("results/fer2013-best/history.csv"))
    drawn = {
        "confusion": figures.confusion(confusion, classes, "PrivateTest", look.colour),
        "curves": figures.curves(history, look.colour),
    }
    return {name: Image.open(io.BytesIO(png(each, look.dpi))) for name, each in drawn.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Draw and write every picture; without Chromium the one of the report stays as it is."""
    command = parser("tools.pictures", __doc__)
    command.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder")
    out = command.parse_args(argv).out
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = {"faces": draw_faces(folder), **draw_charts()}
        if browser:
            from tools.report.__main__ import main as report

            report(["--out", str(folder / "report.html")])
            made["report"] = photograph(browser, folder / "report.html", folder / "report.png")
        for picture, drawn in made.items():
            data = small_png(drawn)
            write_bytes(out / f"{picture}.png", data)
            print(f"wrote {out / picture}.png, {len(data):,} bytes")
    if not browser:
        print("no Chromium is installed: report.png was not drawn", file=sys.stderr)


if __name__ == "__main__":
    run(main)
