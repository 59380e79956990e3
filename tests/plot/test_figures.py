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
SPLITS = ("train", "val", "test")


def texts(figure: Figure) -> str:
    """Everything that the figure says, once it is laid out."""
    FigureCanvasAgg(figure).draw()
    return "\n".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))


def assert_nothing_is_cut_off(figure: Figure) -> None:
    """No ink stands on the outermost pixels."""
    drawn = np.asarray(Image.open(io.BytesIO(png(figure, 60))).convert("L"))
    assert (drawn[[0, -1], :] == 255).all()
    assert (drawn[:, [0, -1]] == 255).all()


def charts(classes: list[str]) -> dict[str, Figure]:
    """Every chart of classes, from tables as the stages write them."""
    f1 = np.linspace(0, 1, len(classes))
    counts = [(name, split, 10**n % 9973) for n, name in enumerate(classes) for split in SPLITS]
    pairs = [(a, p) for n, a in enumerate(classes) for p in classes[: n + 1]]
    scores = {"class": classes, "precision": f1[::-1], "recall": f1, "f1": f1}
    counts = pd.DataFrame(counts, columns=["class", "split", "count"])
    pairs = pd.DataFrame(pairs, columns=["actual", "predicted"])
    scores = pd.DataFrame({**scores, "support": range(len(classes))})
    return {
        "class_counts": figures.class_counts(counts, classes, BLUE),
        "confusion": figures.confusion(pairs, classes, "test", BLUE),
        "per_class_f1": figures.per_class_f1(scores, "test", BLUE),
    }


@pytest.mark.parametrize("classes", [["no", "yes"], AWKWARD], ids=["two", "twelve"])
def test_every_class_is_named_and_no_text_is_cut_off(classes):
    for name, figure in charts(classes).items():
        said = texts(figure)
        assert all(label in said for label in classes), name
        assert "n = " in said, name
        assert_nothing_is_cut_off(figure)


def test_charts_state_their_numbers():
    said = {name: texts(figure).split("\n") for name, figure in charts(["a", "b"]).items()}
    assert {"train (n = 11)", "10", "1"} <= set(said["class_counts"])
    assert "Pictures by class and split (n = 33)" in said["class_counts"]
    assert {"Confusion on test (n = 3)", "50", "100", "b (2)"} <= set(said["confusion"])
    assert {"macro F1 = 0.500", "0.00", "1.00", "b (1)"} <= set(said["per_class_f1"])


def test_a_split_may_be_absent():
    counts = pd.DataFrame([("a", "train", 3)], columns=["class", "split", "count"])
    assert "test" not in texts(figures.class_counts(counts, ["a"], BLUE))


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
    names = ["when", "binning", "low", "high", "n", "confidence", "accuracy"]
    bins = [("before", 0.4, 0.6, 30, 0.5, 0.4), ("before", 0.8, 1.0, 10, 0.9, 0.5)]
    bins.append(("after", 0.2, 0.4, 40, 0.35, 0.36))
    rows = [(row[0], kind, *row[1:]) for kind in ("equal_width", "equal_mass") for row in bins]
    before, after = ({"ece_equal_width": e, "ece_equal_mass": e + 0.01} for e in (0.175, 0.012))
    calibration = {"temperature": 1.75, "before": before, "after": after}
    figure = figures.reliability(pd.DataFrame(rows, columns=names), calibration, "test", BLUE)
    said = texts(figure)
    assert "Reliability on test (n = 40)" in said
    assert "Before: temperature 1.000\ncalibration error 17.5 % (equal mass 18.5 %)" in said
    assert "After: temperature 1.750\ncalibration error 1.2 % (equal mass 2.2 %)" in said
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize(("risk", "said"), [([0, 0.1, 0.2, 0.3], "30.0 %"), ([1.0], "100.0 %")])
def test_risk_coverage_ends_at_the_error_rate(risk, said):
    coverage = np.arange(1, len(risk) + 1) / len(risk)
    table = pd.DataFrame({"coverage": coverage, "risk": risk})
    figure = figures.risk_coverage(table, 1234, "val", BLUE)
    assert "on val (n = 1,234)" in texts(figure)
    assert said in texts(figure)
    assert_nothing_is_cut_off(figure)
