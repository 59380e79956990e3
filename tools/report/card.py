"""The model card -> HTML, whole and in the parts that a report shows first."""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markupsafe import Markup

from facial_expression.core.errors import DatasetError

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
BETTER = {
    "<table>": '<div class="scroll" role="group" tabindex="0" aria-label="Table"><table>',
    "</table>": "</table></div>",
    "<th></th>": "<td></td>",
    "<th>": '<th scope="col">',
    "<pre>": '<pre tabindex="0">',
}
"""Tags of the renderer (text has no "<"), for the keyboard and for screen readers."""
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
    head, *sections = re.split(r"^## ", without_metadata(text), flags=re.MULTILINE)
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
    return Card(inline, *(render(part) for part in (terms, limits, protocol, whole)))


def without_metadata(text: str) -> str:
    """A card without the metadata at its head."""
    return FRONT_MATTER.sub("", text).strip()


def render(text: str, deeper: int = 0) -> Markup:
    """Markdown as HTML that can run nothing and load nothing, for the keyboard as well.

    Raw HTML, links and pictures stay text; headings go `deeper` levels down, under a page's own;
    tables may be scrolled sideways.
    """
    parser = _markdown()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + deeper, 6)}"
    html: str = parser.renderer.render(tokens, parser.options, {})
    for tag, better in BETTER.items():
        html = html.replace(tag, better)
    return Markup(html)


def _paragraph(text: str, start: str) -> str:
    for paragraph in text.split("\n\n"):
        if paragraph.startswith(start):
            return paragraph
    raise KeyError(start)


def _markdown() -> MarkdownIt:
    """CommonMark and tables, without what could hold an address or a tag."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return parser.disable(["link", "image", "autolink", "reference"])
