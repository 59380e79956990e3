from __future__ import annotations

import io
import itertools

import matplotlib
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from PIL import Image

from facial_expression.plot.figures import curves
from facial_expression.plot.style import INK, ink_on, png, ramp

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def drawing() -> bytes:
    scores = {"loss": [2.0, 1.0], "val_loss": [2.1, 1.2]}
    scores |= {"accuracy": [0.3, 0.5], "val_accuracy": [0.2, 0.4]}
    return png(curves(pd.DataFrame({"epoch": [1, 2], **scores}), "#2b6cb0"), 60)


def luminance(colour: str) -> float:
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_settings_of_a_user_change_no_byte():
    plain = drawing()
    settings = {
        "font.size": 21,
        "axes.facecolor": "red",
        "lines.linewidth": 9,
        "savefig.bbox": "tight",
        "savefig.transparent": True,
        "figure.constrained_layout.use": True,
        "text.hinting": "none",
    }
    with matplotlib.rc_context(settings):
        assert drawing() == plain
        assert matplotlib.rcParams["font.size"] == 21, "the user's settings come back"


def test_the_png_has_the_resolution_and_names_no_program():
    image = Image.open(io.BytesIO(drawing()))
    assert image.size == (round(7.0 * 60), round(3.0 * 60))
    assert image.info.get("Software") is None


@given(COLOURS)
def test_text_on_any_colour_is_the_better_of_dark_and_white(colour):
    best = max(contrast(colour, INK), contrast(colour, "white"))
    assert contrast(colour, ink_on(colour)) == pytest.approx(best, rel=0.02)


@given(COLOURS)
def test_the_ramp_darkens_from_white(colour):
    steps = [luminance(ramp(colour)(n / 20)[:3]) for n in range(21)]
    assert steps[0] == pytest.approx(1)
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(steps))
