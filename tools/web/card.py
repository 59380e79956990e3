"""The model card as HTML, and what a model file says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markdown_it import MarkdownIt

BESIDE = "model_card.md"
NAMES = {
    "dataset": "Data set",
    "recipe": "Recipe",
    "protocol": "Protocol",
    "accuracy": "Accuracy",
    "licence": "Licence",
    "model_sha256": "SHA-256 of the Keras model",
}
BETTER = {
    "<table>": '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>',
    "</table>": "</table></div>",
    "<th></th>": "<td></td>",
    "<pre>": '<pre tabindex="0">',
}
"""Tags of the renderer (text has no "<"), for the keyboard and for screen readers."""


def read_card(model: Path) -> str:
    """The card beside a model file as HTML; empty if there is none."""
    path = model.with_name(BESIDE)
    return render(path.read_text(encoding="utf-8")) if path.is_file() else ""


def render(text: str) -> str:
    """Markdown as HTML that can run nothing and load nothing.

    The metadata at the head is left out; raw HTML, links and pictures stay text; headings go two
    levels down, under the page's own; tables may be scrolled sideways.
    """
    if text.startswith("---\n"):
        text = text.partition("\n---\n")[2]
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.disable(["link", "image", "autolink", "reference"])
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    html: str = markdown.renderer.render(tokens, markdown.options, {})
    for tag, better in BETTER.items():
        html = html.replace(tag, better)
    return html


def known(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts that the page lists, by the name that people read."""
    return {name: facts[key] for key, name in NAMES.items() if facts.get(key)}
