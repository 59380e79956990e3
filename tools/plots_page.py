"""Bring Vega into .dvc/plots_page.html, the page that `dvc plots show` fills.

DVC's own page loads Vega from a CDN and is blank without a network.  This one carries Vega inside,
so a clone needs neither a network nor a command; `plots.html_template` in .dvc/config names it, and
DVC replaces {refresh_tag} and {plot_divs}.  Run this again when requirements.txt moves
vl-convert-python (a test says so).
"""

import re
from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.command import parser
from facial_expression.core.errors import PipelineError, run
from facial_expression.core.files import write_text

VEGA_LITE = "5.21"
"""The newest 5.x that vl-convert brings; DVC writes its charts for version 5."""
NAMED = re.compile(r"holds Vega \S+, Vega-Lite \S+ and Vega-Embed \S+,")


def with_vega(page: str) -> str:
    """The page with the installed Vega in its first script, and its versions in the notice.

    Raises:
        PipelineError: the page has no place for one of them.
    """
    import vl_convert

    lines = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE).splitlines()
    script = "\n".join(line.rstrip() for line in lines)  # pre-commit strips what ends a line
    vega, embed = vl_convert.get_vega_version(), vl_convert.get_vega_embed_version()
    versions = f"holds Vega {vega}, Vega-Lite {VEGA_LITE} and Vega-Embed {embed},"
    page, named = NAMED.subn(versions, page, count=1)
    before, opened, rest = page.partition("<script>\n")
    _, closed, after = rest.partition("\n</script>")
    if not (named and opened and closed):
        raise PipelineError(
            "expected a notice of Vega's versions and a script, found a page without"
        )
    return "".join([before, opened, script, closed, after])


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page anew."""
    command = parser("tools.plots_page", __doc__)
    command.add_argument("--page", type=Path, default=Path(".dvc/plots_page.html"))
    page = command.parse_args(argv).page
    write_text(page, with_vega(page.read_text(encoding="utf-8")))


if __name__ == "__main__":
    run(main)
