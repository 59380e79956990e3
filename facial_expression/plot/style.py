"""The style of all figures, and their PNG bytes.

Figures are `matplotlib.figure.Figure` objects, made without pyplot, so there is no global state.
`@styled` and `png` both fix every setting, so that neither a user's matplotlibrc nor the order of
calls changes a byte.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.typing import ColorType
from PIL import Image

INK = "#222222"
"""Text, and lines that must stand out."""
PALE = "#b8b8b8"
"""Less important parts: frames, bars beside the one that matters."""
WIDTH = 7.0
"""Inches; the text width of a page with one column."""

_STYLE: Any = {  # Any: the stubs list every key
    **{
        key: value
        for key, value in matplotlib.rcParamsDefault.items()
        if not key.startswith(("backend", "interactive", "toolbar"))
    },
    "font.family": "DejaVu Sans",  # comes with Matplotlib
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "text.parse_math": False,  # a folder's name may hold a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.titlesize": 10,
    "image.interpolation": "lanczos",
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` with Matplotlib's own defaults and our style, not with the user's settings."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(_STYLE):
            return function(*args, **kwargs)

    return inside


@styled
def png(figure: Figure, dpi: int) -> bytes:
    """The figure as a PNG file without transparency; equal figures give equal bytes."""
    drawn, small = io.BytesIO(), io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(drawn, format="png", dpi=dpi)
    Image.open(drawn).convert("RGB").save(small, "PNG", optimize=True, dpi=(dpi, dpi))
    return small.getvalue()


def tint(colour: str, share: float) -> str:
    """`colour` mixed with white; with `share` 1 it is unchanged, with 0 white."""
    red, green, blue = (1 - share * (1 - channel) for channel in to_rgb(colour))
    return to_hex((red, green, blue))


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
