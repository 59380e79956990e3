from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from facial_expression.plot.figures import class_counts, confusion, curves, per_class_f1
from facial_expression.plot.style import png

BLUE = "#2b6cb0"
SEVEN = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
AWKWARD = [f"a_rather_long_${n}$_name" for n in range(12)]


def texts(figure: Figure) -> str:
    """Everything that the figure says, once it is laid out."""
    FigureCanvasAgg(figure).draw()
    return "\n".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))


def assert_nothing_is_cut_off(figure: Figure) -> None:
    """No ink stands on the outermost pixels."""
    pixels = np.asarray(Image.open(io.BytesIO(png(figure, 100))).convert("L"))
    assert (pixels[[0, -1], :] == 255).all()
    assert (pixels[:, [0, -1]] == 255).all()


def grey(colour) -> float:
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


def scores(classes: list[str]) -> tuple[np.ndarray, ...]:
    f1 = np.linspace(0, 1, len(classes))
    return f1, f1[::-1], f1, np.arange(len(classes))


def figures(classes: list[str]) -> dict[str, Figure]:
    size = len(classes)
    counts = {split: [10**n % 9973 for n in range(size)] for split in ("train", "val", "test")}
    matrix = np.arange(size * size).reshape(size, size) ** 2
    return {
        "class_counts": class_counts(classes, counts, BLUE),
        "confusion": confusion(classes, matrix, "test", BLUE),
        "per_class_f1": per_class_f1(classes, *scores(classes), "test", BLUE),
    }


@pytest.mark.parametrize("classes", [["no", "yes"], SEVEN, AWKWARD], ids=["two", "seven", "twelve"])
def test_every_class_is_named_and_no_text_is_cut_off(classes):
    for name, figure in figures(classes).items():
        said = texts(figure)
        assert all(label in said for label in classes), name
        assert "n = " in said, name
        assert_nothing_is_cut_off(figure)


def test_class_counts_have_one_bar_a_class_and_split():
    counts = {"train": [3995, 436], "val": [467, 56], "test": [491, 55]}
    figure = class_counts(["angry", "disgust"], counts, BLUE)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [3995, 436, 467, 56, 491, 55]
    said = texts(figure)
    assert "train (n = 4,431)" in said
    assert "n = 5,500" in said
    assert axes.get_xlabel() == "pictures"
    assert axes.get_xlim()[0] == 0


def test_splits_differ_without_hue():
    figure = class_counts(["a"], {"train": [3], "val": [2], "test": [1]}, BLUE)
    looks = [(grey(bar.get_facecolor()[:3]), bar.get_hatch()) for bar in figure.axes[0].patches]
    assert looks[0][0] + 0.2 < looks[1][0]
    assert looks[1][1] is None
    assert looks[2][1]


def test_a_split_may_be_absent():
    figure = class_counts(["a", "b"], {"train": [3, 4], "val": [1, 2]}, BLUE)
    assert len(figure.axes[0].patches) == 4
    assert "test" not in texts(figure)


@pytest.mark.parametrize("epochs", [1, 5, 100])
def test_curves_hold_training_and_validation_told_apart_by_their_lines(epochs):
    steps = list(range(1, epochs + 1))
    loss, accuracy = [2 / n for n in steps], [1 - 0.9 / n for n in steps]
    figure = curves(steps, (loss, loss[::-1]), (accuracy, accuracy[::-1]), BLUE)
    for axes, values, unit in zip(figure.axes, (loss, accuracy), ("nats", "%"), strict=True):
        training, validation = axes.get_lines()
        assert list(training.get_ydata()) == values
        assert list(validation.get_ydata()) == values[::-1]
        assert training.get_linestyle() != validation.get_linestyle()
        assert (training.get_markersize() > 0) == (epochs <= 20), "one epoch must be seen"
        assert axes.get_xlabel() == "epoch"
        assert unit in axes.get_ylabel()
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
    assert {"training", "validation"} <= set(texts(figure).split("\n"))
    assert_nothing_is_cut_off(figure)


def test_confusion_shows_percent_of_the_row_and_the_count():
    figure = confusion(["a", "b"], np.array([[3, 1], [0, 0]]), "val", BLUE)
    (axes,) = figure.axes
    cells = [text.get_text() for text in axes.texts]
    assert cells == ["75", "3", "25", "1", "0", "0", "0", "0"]
    assert axes.get_xlabel() == "predicted"
    assert axes.get_ylabel() == "actual"
    assert "on val (n = 4)" in texts(figure)


@settings(max_examples=15, deadline=None)
@given(arrays(np.int64, (3, 3), elements=st.integers(0, 10**6)))
def test_every_row_of_the_confusion_sums_to_one_or_is_empty(counts):
    figure = confusion(["a", "b", "c"], counts, "test", BLUE)
    shares = np.asarray(figure.axes[0].images[0].get_array())
    assert shares.sum(axis=1) == pytest.approx((counts.sum(axis=1) > 0).astype(float))


def test_per_class_f1_draws_the_scores_and_their_mean():
    f1, precision, recall = np.array([0.5, 0.8]), np.array([0.4, 0.9]), np.array([0.7, 0.75])
    figure = per_class_f1(["a", "b"], precision, recall, f1, np.array([10, 20]), "test", BLUE)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.8]
    circles, diamonds, mean = axes.get_lines()
    assert list(circles.get_xdata()) == [0.4, 0.9]
    assert list(diamonds.get_xdata()) == [0.7, 0.75]
    assert circles.get_marker() != diamonds.get_marker()
    assert mean.get_xdata() == pytest.approx([0.65, 0.65])
    said = texts(figure)
    assert "macro F1 = 0.650" in said
    assert "on test (n = 30)" in said
    assert "b (20)" in said
