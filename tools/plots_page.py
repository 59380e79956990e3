"""Write .dvc/plots_page.html, the page that `dvc plots show` fills.

DVC's own page loads Vega from a CDN and is blank without a network.  This one carries Vega inside,
so a clone needs neither a network nor a command; `plots.html_template` in .dvc/config names it.
Run this again when requirements.txt moves vl-convert-python (a test says so).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import write_text

VEGA_LITE = "5.21"
"""The newest 5.x that vl-convert brings; DVC writes its charts for version 5."""

PAGE = """<!DOCTYPE html>
<!-- Made by `python -m tools.plots_page`; do not edit.
%(notice)s
-->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Facial-expression pipeline: plots</title>
<style>
:root { color-scheme: light; font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #222; }
body { margin: 0 auto; max-width: 75rem; padding: 1.5rem; background: #fff; }
h1 { font-size: 1.5rem; margin: 0; }
header p { margin: .25rem 0 1.5rem; max-width: 46rem; color: #444; }
main { display: flex; flex-wrap: wrap; gap: 1.5rem; }
@media (max-width: 40rem) { body { padding: .75rem; } }
main > div { flex: 0 1 auto; min-width: min(35rem, 100%%); max-width: 100%%; box-sizing: border-box;
  padding: 1rem !important; border: 1px solid #ddd !important; border-radius: 6px; overflow: auto; }
/* DVC draws a frame round every picture and centres it; `!important` undoes its inline style. */
main > div:has(img) { flex-basis: 100%%; text-align: left !important;
  white-space: normal !important; }
main > div:has(img) > p { margin: 0 0 .5rem; font-weight: 600; overflow-wrap: anywhere; }
main > div:has(img) > div { border: 0 !important; margin: 0 1rem 0 0 !important;
  vertical-align: top; max-width: min(60rem, 100%%); }
main > div:has(> div + div) > div { max-width: min(33rem, 100%%); } /* two revisions side by side */
main > div > div > p { margin: 0; color: #444; }
main img { max-width: 100%%; height: auto; }
</style>
<script>
%(vega)s
</script>
<script>
/* One look for every chart, none wider than the page; the menu saves pictures and opens nothing
outside this page. */
const charts = new Map(), embed = window.vegaEmbed;
window.vegaEmbed = (place, spec) => charts.set(place, { spec });
const look = (narrow) => ({
  renderer: "svg",
  actions: { export: true, source: false, compiled: false, editor: false },
  config: {
    font: "system-ui, DejaVu Sans, sans-serif",
    title: { fontSize: 16, fontWeight: 600, offset: 12, color: "#222" },
    axis: { labelFontSize: 12, titleFontSize: 13, titleFontWeight: 400, gridColor: "#e5e5e5",
      labelFlush: false, labelSeparation: 6, labelLimit: narrow ? 90 : 180 },
    legend: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400,
      ...(narrow ? { orient: "bottom", columns: 1, labelLimit: 120 } : { labelLimit: 260 }) },
    header: { labelFontSize: 12, titleFontSize: 13, titleFontWeight: 400, labelLimit: 260 },
    facet: { spacing: 32 },
    text: { fontSize: narrow ? 9 : 11 },
    view: { stroke: "transparent" },
  },
});
function wrapped(text, signs) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last && last.length + word.length >= signs) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`.trim();
  }
  return lines;
}
async function draw(place, chart) {
  const spec = structuredClone(chart.spec), card = document.querySelector(place);
  const margins = 2 * parseFloat(getComputedStyle(card).paddingLeft) + 2;
  const room = card.parentElement.clientWidth - margins;
  const one = spec.spec || spec; /* of a chart for each revision, the chart */
  let across = 1;
  if (spec.spec) {
    const revisions = new Set(spec.data.values.map((row) => row.rev)).size;
    const most = Math.max(1, Math.floor(room / (one.width + 60)));
    spec.columns = across = Math.ceil(revisions / Math.ceil(revisions / most));
  }
  spec.title.text = wrapped(spec.title.text, (room - 60) / 9); /* pixels of a sign */
  for (let tries = 0; tries < 3; tries++) {
    chart.drawn?.finalize();
    chart.drawn = await embed(place, spec, look(room < 480));
    const over = card.querySelector("svg.marks").getBoundingClientRect().width - room;
    if (over <= 0) break;
    one.width = Math.max(120, one.width - Math.ceil(over / across));
  }
}
let width = 0, waiting;
function drawAll() {
  if (width !== innerWidth) charts.forEach((chart, place) => draw(place, chart));
  width = innerWidth;
}
addEventListener("load", drawAll);
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 200);
});
</script>
</head>
<body>
<header>
<h1>Facial-expression pipeline: plots</h1>
<p>Each revision has its own colour; <code>workspace</code> is what lies in the folder now. Hover
for values, scroll to zoom a chart, drag to move it, double-click to put it back; the &#8943; menu
saves it as SVG or PNG. Scores are of the test split where it was evaluated, else of validation.</p>
<noscript><p>A script inside this page draws the charts; allow it to run.</p></noscript>
</header>
<main>
{plot_divs}
</main>
</body>
</html>
"""

NOTICE = """
The script holds Vega %(vega)s, Vega-Lite %(vega_lite)s and Vega-Embed %(embed)s,
Copyright (c) 2015-2023, University of Washington Interactive Data Lab (BSD 3-Clause), and what they
build on: D3 and TopoJSON, Copyright 2010-2026 Mike Bostock (ISC); small utilities (MIT, ISC).

BSD 3-Clause: Redistribution and use in source and binary forms, with or without modification, are
permitted provided that the following conditions are met:
1. Redistributions of source code must retain the above copyright notice, this list of conditions
and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions
and the following disclaimer in the documentation and/or other materials provided with the
distribution.
3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse
or promote products derived from this software without specific prior written permission.
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR
IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER
IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF
THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

ISC: Permission to use, copy, modify, and/or distribute this software for any purpose with or
without fee is hereby granted, provided that the above copyright notice and this permission notice
appear in all copies. THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT
SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY
DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT,
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
"""


def page() -> str:
    """The template with Vega inside; DVC replaces {refresh_tag} and {plot_divs}."""
    import vl_convert

    versions = {
        "vega": vl_convert.get_vega_version(),
        "vega_lite": VEGA_LITE,
        "embed": vl_convert.get_vega_embed_version(),
    }
    lines = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE).splitlines()
    script = "\n".join(line.rstrip() for line in lines)  # pre-commit strips what ends a line
    return PAGE % {"vega": script, "notice": (NOTICE % versions).strip()}


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page to --out."""
    command = parser("tools.plots_page", __doc__)
    command.add_argument("--out", type=Path, default=Path(".dvc/plots_page.html"))
    write_text(command.parse_args(argv).out, page())


if __name__ == "__main__":
    run(main)
