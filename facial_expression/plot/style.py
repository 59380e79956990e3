"""The style of all figures, and their PNG bytes.

Figures are `matplotlib.figure.Figure` objects, made without pyplot, so there is no global state.
"""

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.text import Text
from matplotlib.typing import ColorType
from PIL import Image

# Not a line for each weight that an installed font lacks.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

STYLE = Path(__file__).with_suffix(".mplstyle")
FONT = "DejaVu Sans"
"""Of every text, as `STYLE` says."""
INK = "#222222"
"""Text (as `STYLE` says), and lines that must stand out."""
PALE = "#b8b8b8"
"""Frames of pictures."""
WIDTH = 7.0
"""Inches; the text width of a page with one column."""

styled = matplotlib.rc_context(fname=STYLE)
"""Decorates what makes a figure: neither a user's matplotlibrc nor the order of calls counts."""


@styled
def png(figure: Figure, dpi: int) -> bytes:
    """The figure as a PNG file without transparency; equal figures give equal bytes.

    Characters that `FONT` lacks are drawn in installed fonts; as boxes if none has them.
    """
    texts: list[Any] = figure.findobj(Text)
    families, _ = fonts_for("".join(text.get_text() for text in texts))
    for text in texts:
        text.set_family(families)
    drawn, small = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # one for each that no font has
        figure.savefig(drawn, format="png", dpi=dpi)
    Image.open(drawn).convert("RGB").save(small, "PNG", optimize=True, dpi=(dpi, dpi))
    return small.getvalue()


def fonts_for(text: str) -> tuple[list[str], set[str]]:
    """Font families that have the characters of `text` between them, and characters that none has.

    The first family is `FONT`; it is the only one if it has them all.
    """
    families, lacking = [FONT], {sign for sign in text if sign.isprintable()}
    fonts = {(font.name != FONT, font.name, font.fname) for font in fontManager.ttflist}
    for _, name, path in sorted(fonts):
        if not lacking:
            break
        known = get_font(path).get_charmap() if Path(path).is_file() else {}  # else removed since
        found = {sign for sign in lacking if ord(sign) in known}
        if found and "Last Resort" not in name:  # Matplotlib's font of boxes for every sign
            families, lacking = [*families, name], lacking - found
    return list(dict.fromkeys(families)), lacking


def ink_on(colour: ColorType) -> str:
    """Dark or white text, whichever contrasts more with `colour` (WCAG 2 relative luminance)."""
    weights = (0.2126, 0.7152, 0.0722)
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = sum(weight * channel for weight, channel in zip(weights, channels, strict=True))
    return INK if luminance > 0.213 else "white"  # at 0.213 the contrasts are equal


def ramp(colour: str) -> LinearSegmentedColormap:
    """From white over `colour` to a dark shade of it; lightness alone carries the value."""
    red, green, blue = to_rgb(colour)
    stops: Any = [(0, "white"), (0.6, colour), (1, (0.45 * red, 0.45 * green, 0.45 * blue))]
    return LinearSegmentedColormap.from_list("ramp", stops)


def bare(axes: Axes) -> None:
    """Remove the frame and the tick marks (not their labels) of an axes that holds a picture."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
