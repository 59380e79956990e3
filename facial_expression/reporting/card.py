"""The model card -> HTML, whole and in the parts that a report shows first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markupsafe import Markup

from facial_expression.errors import DatasetError

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
SCROLLS = '<div class="scroll" role="region" tabindex="0" aria-label="Table of the card">'
LIMITS = ("Bias, risks and limitations", "Uses")


@dataclass(frozen=True)
class Card:
    """HTML of a card: no address, no script and no tag of its own, whatever its texts hold.

    Attributes:
        title: its first heading, without a tag.
        terms: the paragraph that says who may use the network.
        limits: its sections on risks and on uses, their headings at level 3.
        protocol: the paragraph on who was trained on what.
        whole: all after the title, its headings at level 3.
    """

    title: Markup
    terms: Markup
    limits: Markup
    protocol: Markup
    whole: Markup


def read_card(text: str) -> Card:
    """The parts of a card.

    Raises:
        DatasetError: a part is missing.
    """
    head, *sections = re.split(r"^## ", FRONT_MATTER.sub("", text).strip(), flags=re.MULTILINE)
    title, _, introduction = head.partition("\n")
    by_name = {section.partition("\n")[0].strip(): section for section in sections}
    try:
        limits = "\n".join(f"### {by_name[name]}" for name in LIMITS)
        protocol = _paragraph(by_name["Training"], "**Protocol")
        terms = _paragraph(introduction, "**Terms")
    except KeyError as error:
        raise DatasetError(
            f"model_card.md: expected a part {error}; run the export stage"
        ) from None
    whole = "\n".join([introduction, *(f"### {section}" for section in sections)])
    inline = Markup(_markdown().renderInline(title.removeprefix("# ")))
    return Card(inline, *(_html(part) for part in (terms, limits, protocol, whole)))


def _paragraph(text: str, start: str) -> str:
    for paragraph in text.split("\n\n"):
        if paragraph.startswith(start):
            return paragraph
    raise KeyError(start)


def _html(text: str) -> Markup:
    html = _markdown().render(text)
    html = html.replace("<table>", f"{SCROLLS}<table>").replace("</table>", "</table></div>")
    html = html.replace("<th>", '<th scope="col">').replace("<pre>", '<pre tabindex="0">')
    return Markup(html)


def _markdown() -> MarkdownIt:
    """CommonMark and tables, without what could hold an address or a tag."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return parser.disable(["link", "image", "autolink", "reference"])
