import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from facial_expression.plot import figures
from facial_expression.plot.style import png

BLUE = "#2b6cb0"
AWKWARD = [f"a_rather_long_${n}$_name" for n in range(12)]


def texts(figure: Figure) -> str:
    """Everything that the figure says, once it is laid out."""
    FigureCanvasAgg(figure).draw()
    return "\n".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))


def assert_nothing_is_cut_off(figure: Figure) -> None:
    """No ink stands on the outermost pixels."""
    drawn = np.asarray(Image.open(io.BytesIO(png(figure, 60))).convert("L"))
    assert (drawn[[0, -1], :] == 255).all()
    assert (drawn[:, [0, -1]] == 255).all()


def matrix(classes: list[str]) -> Figure:
    """The confusion of a network that takes a class for itself and each one before it."""
    pairs = [(a, p) for n, a in enumerate(classes) for p in classes[: n + 1]]
    pairs = pd.DataFrame(pairs, columns=["actual", "predicted"])
    return figures.confusion(pairs, classes, "test", BLUE)


@pytest.mark.parametrize("classes", [["no", "yes"], AWKWARD], ids=["two", "twelve"])
def test_every_class_is_named_and_no_text_is_cut_off(classes):
    figure = matrix(classes)
    assert all(label in texts(figure) for label in classes)
    assert_nothing_is_cut_off(figure)


def test_the_matrix_states_its_numbers():
    said = texts(matrix(["a", "b"])).split("\n")
    assert {"Confusion on test (n = 3)", "50", "100", "b (2)"} <= set(said)


@pytest.mark.parametrize("epochs", [1, 100])
def test_curves_hold_training_and_validation(epochs):
    steps = np.arange(1, epochs + 1)
    scores = {"loss": 2 / steps, "val_loss": 1.5 / steps}
    scores |= {"accuracy": 1 - 0.9 / steps, "val_accuracy": 1 - 0.95 / steps}
    figure = figures.curves(pd.DataFrame({"epoch": steps, **scores}), BLUE)
    for axes, names in zip(figure.axes, np.array([*scores]).reshape(2, 2), strict=True):
        training, validation = axes.get_lines()
        for line, name in ((training, names[0]), (validation, names[1])):
            np.testing.assert_allclose(line.get_ydata(), scores[name])
        assert training.get_linestyle() != validation.get_linestyle(), "told apart without colour"
        assert (training.get_markersize() > 0) == (epochs <= 20), "a single epoch must be seen"
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
    assert {"training", "validation"} <= set(texts(figure).split("\n"))
    assert_nothing_is_cut_off(figure)


def test_reliability_states_its_errors_and_the_temperature():
    names = ["when", "binning", "n", "confidence", "accuracy"]
    bins = [("before", 20, 0.5, 0.4), ("before", 20, 0.9, 0.5)]
    bins += [("after", 20, 0.35, 0.36), ("after", 20, 0.4, 0.5)]
    rows = [(row[0], kind, *row[1:]) for kind in ("equal_width", "equal_mass") for row in bins]
    before, after = ({"ece_equal_mass": error} for error in (0.175, 0.012))
    calibration = {"temperature": 1.75, "before": before, "after": after}
    figure = figures.reliability(pd.DataFrame(rows, columns=names), calibration, "test", BLUE)
    said = texts(figure)
    assert "Reliability on test (n = 40)" in said
    assert "as predicted: calibration error 17.5 %" in said
    assert "temperature 1.750: calibration error 1.2 %" in said
    _, *lines = figure.axes[0].get_lines()  # the first is the diagonal
    assert [line.get_xdata().tolist() for line in lines] == [[0.5, 0.9], [0.35, 0.4]]
    assert [line.get_ydata().tolist() for line in lines] == [[0.4, 0.5], [0.36, 0.5]]
    assert_nothing_is_cut_off(figure)
