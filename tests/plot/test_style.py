import io
import itertools
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from PIL import Image

from facial_expression.plot.figures import confusion
from facial_expression.plot.run import report_boxes
from facial_expression.plot.style import FONT, INK, fonts_for, ink_on, png, ramp

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def named(name: str) -> Figure:
    pairs = pd.DataFrame({"actual": [name], "predicted": [name]})
    return confusion(pairs, [name], "test", "#2b6cb0")


def luminance(colour: str) -> float:
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_settings_of_a_user_change_no_byte():
    plain = png(named("happy"), 60)
    settings = {"font.size": 21, "axes.facecolor": "red", "figure.constrained_layout.use": True}
    settings |= {"savefig.bbox": "tight", "savefig.transparent": True, "text.hinting": "none"}
    with matplotlib.rc_context(settings):
        assert png(named("happy"), 60) == plain
        assert matplotlib.rcParams["font.size"] == 21, "the user's settings come back"


def test_the_png_has_the_resolution_and_names_no_program():
    figure = named("happy")
    image = Image.open(io.BytesIO(png(figure, 60)))
    assert image.size == pytest.approx(60 * figure.get_size_inches(), abs=1)
    assert image.info.get("Software") is None


@given(COLOURS)
def test_text_on_any_colour_is_the_better_of_dark_and_white(colour):
    best = max(contrast(colour, INK), contrast(colour, "white"))
    assert contrast(colour, ink_on(colour)) == pytest.approx(best, rel=0.02)


@given(COLOURS)
def test_the_ramp_darkens_from_white(colour):
    steps = [luminance(ramp(colour)(n / 20)[:3]) for n in range(0, 21, 4)]
    assert steps[0] == pytest.approx(1)
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(steps))


@pytest.fixture
def plain(monkeypatch) -> None:
    """No font is installed but the one that comes with Matplotlib."""
    ours = [font for font in fontManager.ttflist if font.name == FONT]
    monkeypatch.setattr(fontManager, "ttflist", ours)


@pytest.fixture
def han(plain, tmp_path) -> str:
    """The family of an installed font that has one sign, a square of ink, and no other."""
    family, sign = "One Sign", "\N{CJK UNIFIED IDEOGRAPH-559C}"
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    glyphs = {".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()}
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(list(glyphs))
    font.setupCharacterMap({ord(sign): "square"})
    font.setupGlyf(glyphs)
    font.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "one.ttf")
    fontManager.addfont(tmp_path / "one.ttf")
    return family


def test_a_sign_that_our_font_lacks_comes_from_an_installed_one(han):
    assert fonts_for("happy ✓ é") == ([FONT], set())
    assert fonts_for("happy 喜び") == ([FONT, han], {"び"})
    ink = (np.asarray(Image.open(io.BytesIO(png(named("喜喜喜"), 300)))) < 60).all(axis=2)
    assert ink[:, :200].sum() > 3 * 20**2, "three squares of ink, and no boxes"


def test_a_sign_that_no_font_has_is_no_error_and_latin_stays(han):
    before = png(named("happy"), 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png(named("\N{CJK UNIFIED IDEOGRAPH-4E00}"), 60)
    assert png(named("happy"), 60) == before


def test_classes_that_no_font_can_write_are_named_in_one_line(plain, capsys):
    report_boxes(["happy", "très", "100%"])
    assert capsys.readouterr().err == ""
    report_boxes(["happy", "喜び", "悲しみ"])
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "classes 喜び, 悲しみ" in said
    assert "install a font" in said
