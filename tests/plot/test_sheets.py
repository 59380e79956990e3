import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from facial_expression.core.arrays import Saliency
from facial_expression.plot import sheets
from facial_expression.plot.sheets import Cell, Predicted
from facial_expression.plot.style import png
from tests.plot.test_figures import assert_nothing_is_cut_off, texts

SIDE = 8


def predicted(actual: list[int], rows: list[list[float]]) -> Predicted:
    """Pictures whose grey level is their number; the predicted class is the most probable."""
    probabilities = np.array(rows) if rows else np.zeros((0, 2))
    images = np.arange(len(actual), dtype=np.uint8)[:, None, None].repeat(SIDE, 1).repeat(SIDE, 2)
    guesses = probabilities.argmax(axis=1)
    return Predicted(images, np.array(actual, int), guesses, probabilities)


def greys(figure: Figure) -> list[int]:
    """Grey levels of the plain pictures of a sheet, in the order of their places."""
    found = []
    for image in figure.axes[0].images:
        drawn = np.asarray(image.get_array())
        if drawn.shape == (SIDE, SIDE):
            left, _, _, top = image.get_extent()
            found.append((round(top, 3), round(left, 3), int(drawn[0, 0])))
    return [grey for _, _, grey in sorted(found)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 9)), max_size=30))
def test_the_hardest_are_wrong_and_most_confident_first(cases):
    actual, guess, sure = (np.array([case[k] for case in cases], int) for k in range(3))
    probabilities = np.zeros((len(cases), 3))
    probabilities[np.arange(len(cases)), guess] = sure / 10
    scored = Predicted(np.zeros((len(cases), 2, 2), np.uint8), actual, guess, probabilities)
    wrong = [row for row in range(len(cases)) if actual[row] != guess[row]]
    naive = sorted(wrong, key=lambda row: (-sure[row], row))
    assert sheets.hardest(scored).tolist() == naive


def cells(number: int, grey: int, side: int = SIDE) -> list[Cell]:
    return [Cell([np.full((side, side), grey, np.uint8)])] * number


def test_cells_stand_in_their_row_and_go_on_below_it():
    rows = [("bright", cells(4, 200)), ("dark\n" + "long" * 20, cells(1, 10))]
    figure = sheets.sheet("A title", rows, 3)
    said = texts(figure)
    assert "bright\n" in said
    assert "A title" in said
    assert "dark\nlonglonglonglon…" in said
    assert greys(figure) == [200, 200, 200, 200, 10]
    assert_nothing_is_cut_off(figure)


def test_a_white_picture_shows_on_the_white_page():
    figure = sheets.sheet("", [("blank", cells(1, 255, 24))], 1)
    page = np.asarray(Image.open(io.BytesIO(png(figure, 50))).convert("L"))
    assert (page < 250).sum(0).max() > 200, "a side of its frame, about 290 pixels"


def test_predictions_state_their_class_and_the_actual_one_with_probabilities():
    scored = predicted([0, 1, 0], [[0.9, 0.1, 0], [0.6, 0.3, 0.1], [0.001, 0, 0.999]])
    drawn = sheets.prediction_sheets(["calm", "glad", "a long name"], scored, 9, 0, "val")
    some, worst = drawn["predictions"], drawn["hardest_mistakes"]
    said = texts(some)
    assert "Predictions for 3 pictures drawn at random from 3 of val" in said
    assert "✓ calm, 90 %\n" in said
    assert "✗ calm, 60 %\nactual glad, 30 %" in said
    assert "✗ a long name, over 99 %\nactual calm, 0 %" in said, "only certainty is called 100 %"
    assert "The 2 most confident of 2 wrong predictions on val (n = 3)" in texts(worst)
    assert (greys(some), greys(worst)) == ([0, 1, 2], [2, 1])
    assert_nothing_is_cut_off(some)


def audit(rows: list[tuple[str, str, str, float]], totals: dict[str, int]) -> Figure:
    found = pd.DataFrame(rows, columns=["path", "kind", "partner", "score"])
    paths = sorted({path for row in rows for path in (row[0], row[2]) if path})
    pictures = {path: np.full((SIDE, SIDE), place, np.uint8) for place, path in enumerate(paths)}
    return sheets.audit_sheet(found, totals, pictures)


def test_the_audit_sheet_shows_each_picture_with_its_score_label_and_name():
    rows = [
        ("train/sad/b.png", "duplicate", "test/sad/a.png", 1.0),
        ("train/sad/c.png", "blank", "", 0.25),
        ("train/fear/d.png", "duplicate", "train/sad/e.png", 1.0),
    ]
    figure = audit(rows, {"duplicate": 1_234, "blank": 1})
    said = texts(figure).split("\n")
    assert "Findings of the audit (n = 1,235)" in said
    assert "first 2 of 1,234" in said
    scores = [text for text in said if text.startswith("score")]
    assert scores == ["score 1.000", "score 1.000", "score 0.250"]
    assert {"train sad", "test sad", "train fear", "a.png", "d.png"} <= set(said)
    assert greys(figure) == [2, 0, 1, 4, 3], "kind by kind, b beside a"
    assert_nothing_is_cut_off(figure)


def test_long_names_and_many_findings_fit():
    name = "a-very-long-name-of-a-class" * 2
    rows = [(f"a/{name}/{i}{name}", "odd", f"b/{name}/{i}{name}", 0.9) for i in range(9)]
    few, many = audit(rows[:4], {"odd": 9}), audit(rows, {"odd": 9})
    assert_nothing_is_cut_off(many)
    assert many.get_figheight() > few.get_figheight()


def saliency(actual: list[int], guesses: list[int]) -> Figure:
    shown = predicted(
        actual, [[0.7 if k == guess else 0.15 for k in range(3)] for guess in guesses]
    )
    maps, rows = np.full((len(actual), SIDE, SIDE), 100, np.uint8), np.arange(len(actual))
    explained = Saliency(rows[1:], maps[1:])  # the first is not shown
    return sheets.saliency_sheet(["calm", "glad", "sad"], shown, explained, "test")


def test_the_saliency_sheet_has_a_row_a_class_and_right_before_wrong():
    figure = saliency([1, 0, 0, 0, 1, 2], [0, 1, 0, 0, 2, 2])
    assert greys(figure) == [2, 3, 1, 4, 5]
    coloured = [image for image in figure.axes[0].images if np.ndim(image.get_array()) == 3]
    assert len(coloured) == 5, "each picture stands beside its overlay"
    said = texts(figure).split("\n")
    assert any("3 of 3 right predictions, then 2 of 3 wrong" in line for line in said)
    assert (said.count("✓ calm, 70 %"), said.count("✗ sad, 70 %")) == (2, 1)
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("grey", [0, 255])
def test_more_evidence_is_lighter_and_the_picture_stays_visible(grey):
    ramp = np.arange(256, dtype=np.uint8)[None]
    light = sheets.overlay(np.full_like(ramp, grey), ramp) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light[0]) >= -1).all(), "lightness rises, but for rounding"
    assert light[0, -1] - light[0, 0] > 60
    black, white = (sheets.overlay(np.full_like(ramp, level), ramp) for level in (0, 255))
    assert (white.astype(int) - black >= 120).all()


@pytest.mark.parametrize(
    "figure",
    [
        audit([], {}),
        saliency([], []),
        sheets.sheet("Confused", [], 5),
        *sheets.prediction_sheets(["a", "b"], predicted([], []), 9, 0, "val").values(),
    ],
)
def test_a_sheet_of_nothing_says_so(figure):
    assert "none" in texts(figure)
    assert_nothing_is_cut_off(figure)
