"""The model card as HTML, and the facts of a model file as lines for people."""

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
    region = '<div class="wide" role="region" aria-label="Table" tabindex="0">'
    html = html.replace("<table>", f"{region}<table>")
    return html.replace("</table>", "</table></div>")


def accuracy(facts: Mapping[str, str]) -> str:
    """What the file says of its accuracy; a share as percent.

    >>> accuracy({"accuracy": "0.677"})
    '67.7 %'
    """
    text = facts.get("accuracy", "unknown")
    try:
        return f"{100 * float(text):.1f} %"
    except ValueError:
        return text


def known(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts that the page lists, by the name that people read."""
    values = {**facts, "accuracy": accuracy(facts)}
    return {name: values[key] for key, name in NAMES.items() if values.get(key)}
