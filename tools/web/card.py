"""The model card and other documents as HTML, and the model file's metadata by readable names."""

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from facial_expression.core.files import read_text
from tools.report.card import render, without_metadata

NAMES = {
    "dataset": "Data set",
    "recipe": "Recipe",
    "protocol": "Protocol",
    "accuracy": "Accuracy",
    "int8": "Rounded to int8",
    "licence": "Licence",
    "model_sha256": "SHA-256 of the Keras model",
}

DOCUMENTS = {
    "model_card.md": "Read the whole card: uses, data, scores by class, calibration",
    "README.md": "Read the notes of the release: files, training, terms",
}


def documents(model: Path) -> dict[str, Markup]:
    """What stands beside a model file, as HTML by what it is: the card, the release's notes."""
    return {
        summary: render(without_metadata(read_text(path, "the export stage")), deeper=2)
        for name, summary in DOCUMENTS.items()
        if (path := model.with_name(name)).is_file()
    }  # their headings go below those of the page


def known(facts: Mapping[str, str]) -> dict[str, str]:
    """The metadata that the page lists, by readable name."""
    return {name: facts[key] for key, name in NAMES.items() if facts.get(key)}
