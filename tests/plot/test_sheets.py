from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.plot.sheets import (
    MOST_BARS,
    Predicted,
    choose,
    choose_by_class,
    confused_sheet,
    hardest,
    prediction_sheet,
    sample_sheet,
)
from facial_expression.plot.style import png
from tests.plot.test_figures import BLUE, assert_nothing_is_cut_off, texts


def predicted(actual: list[int], rows: list[list[float]]) -> Predicted:
    probabilities = np.array(rows)
    images = np.full((len(actual), 8, 8), 100, np.uint8)
    return Predicted(images, np.array(actual), probabilities.argmax(axis=1), probabilities)


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 6), st.integers(0, 99))
def test_the_choice_of_each_class_is_of_that_class_and_seeded(labels, each, seed):
    labels = np.array(labels, np.int64)
    chosen = choose_by_class(labels, 4, each, seed)
    for label, rows in enumerate(chosen):
        assert len(rows) == len(set(rows)) == min(each, int((labels == label).sum()))
        assert (labels[rows] == label).all() if rows else True
    assert chosen == choose_by_class(labels, 4, each, seed)


def test_one_more_picture_of_a_class_leaves_the_choice_of_the_others():
    labels = np.array([0, 1] * 20)
    more = np.append(labels, 0)
    assert choose_by_class(labels, 2, 5, 0)[1] == choose_by_class(more, 2, 5, 0)[1]


def test_another_seed_is_another_choice():
    assert choose(1000, 10, 0) != choose(1000, 10, 1)
    assert choose(3, 10, 0) == [0, 1, 2]
    assert choose(1000, 10, 0) == sorted(set(choose(1000, 10, 0)))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 9)), max_size=30))
def test_the_hardest_are_wrong_and_most_confident_first(cases):
    actual = np.array([case[0] for case in cases], np.int64)
    guess = np.array([case[1] for case in cases], np.int64)
    probabilities = np.zeros((len(cases), 3))
    probabilities[np.arange(len(cases)), guess] = [case[2] / 10 for case in cases]
    scored = Predicted(np.zeros((len(cases), 2, 2), np.uint8), actual, guess, probabilities)
    naive = sorted(
        (-cases[row][2], row) for row in range(len(cases)) if cases[row][0] != cases[row][1]
    )
    assert hardest(scored, 4) == [row for _, row in naive[:4]]


def test_the_sample_sheet_holds_the_pictures_where_their_class_stands():
    bright, dark = np.full((3, 24, 24), 200, np.uint8), np.full((1, 24, 24), 10, np.uint8)
    figure = sample_sheet(["bright", "dark", "none"], [bright, dark, bright[:0]], [30, 4, 0])
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    gap = 24 // 12
    assert sheet.shape == (3 * 24 + 2 * gap, 3 * 24 + 2 * gap)
    assert (sheet[:24, :24] == 200).all()
    assert (sheet[24 + gap : 48 + gap, :24] == 10).all()
    assert (sheet[24 + gap : 48 + gap, 24:] == 255).all(), "a class with fewer leaves white"
    assert (sheet[48 + 2 * gap :] == 255).all()
    assert "4 drawn at random from 34" in texts(figure)
    assert_nothing_is_cut_off(figure)


def test_a_cell_says_actual_predicted_and_the_probability():
    shown = predicted([0, 1], [[0.9, 0.1, 0], [0.6, 0.3, 0.1]])
    said = texts(prediction_sheet(["calm", "glad", "sad"], shown, "A title", BLUE))
    assert "A title" in said
    assert "actual calm\npredicted calm, 90 % ✓" in said
    assert "actual glad\npredicted calm, 60 % ✗" in said


@pytest.mark.parametrize(("probability", "text"), [(0.999, "over 99 %"), (1.0, "100 %")])
def test_only_certainty_is_called_100_percent(probability, text):
    shown = predicted([1], [[probability, 1 - probability]])
    assert f"predicted a, {text} ✗" in texts(prediction_sheet(["a", "b"], shown, "", BLUE))


def test_bars_have_the_length_of_the_probabilities():
    shown = predicted([2], [[0.5, 0.3, 0.2]])
    figure = prediction_sheet(["a", "b", "c"], shown, "", BLUE)
    widths = np.array([bar.get_width() for bar in figure.axes[0].patches])
    assert widths / widths.sum() == pytest.approx([0.5, 0.3, 0.2])
    colours = [bar.get_facecolor() for bar in figure.axes[0].patches]
    assert colours[0] == colours[1] != colours[2], "the actual class stands out"


def test_of_many_classes_the_most_probable_and_the_actual_one_are_drawn():
    shown = predicted([0], [[0.0, *np.linspace(1, 19, 19) / 190]])
    classes = [f"class {n:02}" for n in range(20)]
    figure = prediction_sheet(classes, shown, "", BLUE)
    assert len(figure.axes[0].patches) == MOST_BARS
    said = texts(figure)
    assert "class 19" in said
    assert "class 01" not in said


def test_a_sheet_of_nothing_says_so():
    none = predicted([0], [[0.2, 0.8]])[[]]
    figure = prediction_sheet(["a", "b"], none, "The 0 most confident", BLUE)
    assert "none" in texts(figure)
    assert png(figure, 60).startswith(b"\x89PNG")


def test_the_sheet_of_confused_pairs_names_each_row():
    pictures = [np.full((n, 8, 8), 90, np.uint8) for n in (3, 1)]
    figure = confused_sheet(["a\nas b\n3 (30 %)", "b\nas a\n1 (5 %)"], pictures, 5, "Confused")
    said = texts(figure)
    assert "a\nas b\n3 (30 %)" in said
    assert "Confused" in said
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    assert (sheet == 90).sum() == 4 * 64
    assert sheet.shape == (2 * 9 - 1, 5 * 9 - 1), "room for five of eight pixels and a gap"
    assert_nothing_is_cut_off(figure)


def test_without_a_confused_pair_the_sheet_says_so():
    figure = confused_sheet([], [], 5, "Confused")
    assert {"Confused", "none"} <= set(texts(figure).split("\n"))
    assert_nothing_is_cut_off(figure)
