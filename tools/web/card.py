"""The model card as HTML, and the model file's metadata under readable names."""

from collections.abc import Mapping
from pathlib import Path

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


def card_html(model: Path) -> str:
    """The card beside a model file as HTML; empty if there is none."""
    path = model.with_name("model_card.md")
    if not path.is_file():
        return ""
    text = without_metadata(path.read_text(encoding="utf-8"))
    return render(text, deeper=2)  # below the headings of the page


def known(facts: Mapping[str, str]) -> dict[str, str]:
    """The metadata that the page lists, by readable name."""
    return {name: facts[key] for key, name in NAMES.items() if facts.get(key)}
