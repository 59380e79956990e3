"""The card says what the run's files say, in a form that the hub reads."""

import html
import re
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt

from facial_expression.export.card import Facts, render

SCORES = {
    "n": 3589,
    "accuracy": 0.6789,
    "accuracy_low": 0.6612,
    "accuracy_high": 0.6934,
    "balanced_accuracy": 0.61,
    "macro_f1": 0.6543,
    "top_2_accuracy": 0.84,
    "log_loss": 0.9211,
    "brier": 0.44,
}
ERRORS = {"ece_equal_width": 0.0512, "ece_equal_mass": 0.0498, "log_loss": 0.9211, "brier": 0.44}
FACTS = Facts(
    texts={
        "dataset": "Our Faces",
        "licence": "other",
        "terms": "Nobody but us; not for $100 {each}.",
        "labels": "Two of us labelled them.",
        "people": "Twelve colleagues, who agreed.",
    },
    source={"sha256": "5" * 64, "licence": "ours."},
    audit={
        "protocol": "clean",
        "labels": "folders",
        "pictures": 35887,
        "used": {"train": 28006, "val": 3589, "test": 3589},
        "dropped": {"also_in_test": 343},
        "duplicates": {
            "groups": 1516,
            "files": 3369,
            "groups_across_train_and_evaluation": 531,
            "groups_across_val_and_test": 71,
            "groups_with_conflicting_labels": 57,
        },
        "near_duplicates": {"pairs": 4305},
    },
    metrics={
        "protocol": "clean",
        "reported_split": "val",
        "classes_absent": {"train": [], "val": []},
        "val": SCORES,
        "val_flip": SCORES | {"accuracy": 0.7001},
        "calibration": {
            "temperature": 1.25,
            "fitted_on": "val",
            "before": ERRORS,
            "after": ERRORS | {"log_loss": 0.9001},
        },
        "model": {"side": 40, "parameters": 490359, "macs": 17_600_000},
        "versions": {"keras": "3.15.1", "numpy": "2.4.6"},
    },
    per_class=pd.DataFrame(
        [("happy", 0.9, 0.8, 0.85, 1001), ("sad", 0.5, 0.4, 0.444444, 9)],
        columns=["class", "precision", "recall", "f1", "support"],
    ),
    recipe="fast",
    parameters={
        "epochs": 10,
        "optimizer": {"name": "muon"},
        "initial": {"weights": ""},
        "teacher": {"weights": ""},
    },
    model="a" * 64,
    size=2_041_000,
)


@pytest.mark.parametrize("licence", ["other", "mit"])
def test_the_front_matter_is_the_hubs(licence):
    card = render(replace(FACTS, texts=FACTS.texts | {"licence": licence}))
    metadata = yaml.safe_load(card.split("---\n", 2)[1])
    assert metadata["license"] == licence
    assert bool(metadata.get("license_name")) == (licence == "other")  # a listed one has its own
    assert metadata["library_name"] == "keras"
    assert metadata["pipeline_tag"] == "image-classification"
    (result,) = metadata["model-index"][0]["results"]
    assert result["task"] == {"type": "image-classification"}
    assert result["dataset"] == {"type": "our-faces", "name": "Our Faces", "split": "val"}
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values == {"accuracy": 0.6789, "f1": 0.6543}


@pytest.mark.parametrize(
    "fact",
    [
        "67.9 % (66.1 to 69.3), n = 3,589",
        "| val | mean over the picture and its mirror image | 3,589 | 70.0 %",
        "Nobody but us; not for $100 {each}.",
        "- Two of us labelled them.",
        "- Twelve colleagues, who agreed.",
        "train 28,006, val 3,589, test 3,589",
        "343 also in test",
        "531 are in training and\nalso in validation or test, 71 are in both",
        "57 have conflicting labels",
        "Licence of the pictures: ours.\nsha256 of their archive: `" + "5" * 64,
        "**Start.** From random weights.",
        "epochs: 10\noptimizer:\n  name: muon\ninitial:\n  weights: ''\n",
        "weights: ''\nteacher:\n  weights: ''\n```",
        "| happy | 0.900 | 0.800 | 0.850 | 1,001 |",
        "a" * 64 + "`, 2.0 MB, 490,359 parameters, 17.6 million",
        "np.zeros((1, 40, 40, 1), np.uint8)",
        "keras 3.15.1, numpy 2.4.6",
        "Labels: folders.",
        "one temperature, 1.250. It was fitted on these same pictures (",
        "| log loss (nats) | 0.9211 | 0.9001 |",
        "15 bins of equal width | 0.0512 | 0.0512 |",
        "/ 1.250000)",
        *("not inner states", "Article 5(1)(f)", "Annex III", "Article 50(3)"),
    ],
)
def test_the_card_states_the_runs_facts_and_the_limits_of_every_network(fact):
    assert fact in render(FACTS)


def test_scores_without_leaks_stand_in_the_card_if_there_are_any():
    assert "Without leaks" not in render(FACTS)
    metrics = FACTS.metrics | {"val_leak_free": SCORES | {"accuracy": 0.5541, "n": 3000}}
    card = render(replace(FACTS, metrics=metrics))
    assert "no known duplicate or near-duplicate in any split: val 55.4 % (66.1 to" in card
    assert "n = 3,000." in card
    unsearched = replace(FACTS, metrics=metrics, audit=FACTS.audit | {"near_duplicates": None})
    assert "no known exact duplicate in any split: val 55.4 %" in render(unsearched)


TEACHER = {"weights": "data/t.keras", "sha256": "d" * 64, "share": 0.5}
START = {
    "weights": "data/start.keras",
    "sha256": "c" * 64,
    "origin": "Trained on a million faces.\nApache-2.0.",
}
FERPLUS = {"targets": "majority", "classes": 8, "filter": "published"}
LACKING = {"train": [], "val": ["sad", "Joy"], "test": []}


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("metrics", {"protocol": "notebook"}, "validated on its own test pictures"),
        ("audit", {"dropped": {}}, "may hold exact copies of validation or test pictures"),
        (
            "parameters",
            {"initial": START, "teacher": {"weights": ""}},
            f"`data/start.keras`, sha256 `{'c' * 64}`. Trained on a million faces. Apache-2.0.\n",
        ),
        (
            "parameters",
            {"initial": {"weights": ""}, "teacher": TEACHER},
            "**Start.** From random weights. 50% of each target are the probabilities that "
            f"`data/t.keras`, sha256 `{'d' * 64}` gave.\n",
        ),
        (
            "audit",
            {"labels": "ferplus", "ferplus": FERPLUS},
            "ferplus, targets majority, classes 8",
        ),
        (
            "metrics",
            {"classes_absent": LACKING},
            "choice was made). There is no picture of sad, Joy in val: macro F1 counts",
        ),
    ],
)
def test_what_limits_the_run_is_said(name, changes, said):
    card = render(replace(FACTS, **{name: getattr(FACTS, name) | changes}))
    assert said in card
    assert said not in render(FACTS)
    copies = "validated on" in said or "exact copies" in said
    assert ("No exact copy" in card) != copies


def test_the_code_of_the_card_runs_as_far_as_its_syntax_goes():
    blocks = re.findall(r"```python\n(.*?)```", render(FACTS), re.S)
    assert ["onnxruntime" in code for code in blocks] == [True, False]
    for code in blocks:
        compile(code, "card", "exec")


def test_a_name_that_a_folder_gave_is_no_markup():
    name = "a|b <i>x</i> [y](z) `*_q_*`"
    card = render(replace(FACTS, per_class=FACTS.per_class.assign(**{"class": [name, "sad"]})))
    shown = MarkdownIt().enable("table").render(card.split("---\n", 2)[2])
    assert f"<td>{html.escape(name)}</td>" in shown
