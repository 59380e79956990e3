from __future__ import annotations

import numpy as np

from facial_expression.plot.audit_sheet import Finding, audit_sheet, by_kind
from tests.plot.test_figures import assert_nothing_is_cut_off, texts

ROWS = [
    {"path": "train/sad/b.png", "kind": "duplicate", "partner": "test/sad/a.png", "score": "1"},
    {"path": "train/sad/c.png", "kind": "blank", "partner": "", "score": "0.25"},
    {"path": "train/fear/d.png", "kind": "duplicate", "partner": "train/sad/a.png", "score": "1.0"},
]


def squares(found: dict[str, list[Finding]]) -> dict[str, np.ndarray]:
    paths = {path for some in found.values() for finding in some for path in finding.paths}
    return {path: np.full((8, 8), 7 * place, np.uint8) for place, path in enumerate(sorted(paths))}


def test_findings_come_by_kind_in_their_order():
    assert by_kind(ROWS) == {
        "duplicate": [
            Finding(1.0, ("train/sad/b.png", "test/sad/a.png")),
            Finding(1.0, ("train/fear/d.png", "train/sad/a.png")),
        ],
        "blank": [Finding(0.25, ("train/sad/c.png",))],
    }


def test_the_sheet_shows_each_picture_with_its_score_label_and_name():
    found = by_kind(ROWS)
    pictures = squares(found)
    figure = audit_sheet(found, {"duplicate": 1_234, "blank": 1}, pictures)
    shown = texts(figure)
    assert "Findings of the audit (n = 1,235)" in shown
    assert "duplicate: the first 2 of 1,234" in shown
    assert "blank: the first 1 of 1" in shown
    assert [text for text in shown.splitlines() if text.startswith("score")] == [
        "score 1.000",
        "score 1.000",
        "score 0.250",
    ]
    assert {"train sad", "test sad", "train fear", "a.png", "d.png"} <= set(shown.splitlines())
    drawn = [int(np.asarray(image.get_array())[0, 0]) for image in figure.axes[0].images]
    order = [path for some in found.values() for finding in some for path in finding.paths]
    assert drawn == [int(pictures[path][0, 0]) for path in order]
    assert_nothing_is_cut_off(figure)


def test_long_names_and_many_findings_fit():
    name = "a-very-long-name-of-a-class" * 2
    rows = [
        {"path": f"train/{name}/{i}{name}.png", "kind": "near_duplicate", "score": "0.9"}
        | {"partner": f"test/{name}/{i}{name}.png"}
        for i in range(9)
    ]
    found = by_kind(rows)
    few = audit_sheet(
        {"near_duplicate": found["near_duplicate"][:4]}, {"near_duplicate": 9}, squares(found)
    )
    many = audit_sheet(found, {"near_duplicate": 9}, squares(found))
    assert_nothing_is_cut_off(many)
    assert many.get_figheight() > few.get_figheight()


def test_a_sheet_of_nothing_says_so():
    figure = audit_sheet({}, {}, {})
    assert "none" in texts(figure)
    assert_nothing_is_cut_off(figure)
