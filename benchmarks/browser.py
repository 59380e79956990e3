"""The page of `python -m tools.site` in a headless Chromium: milliseconds and bytes.

    python -m benchmarks.browser [--model released/expression-int8.onnx] [--runtime TARBALL]

1. One face classified: a ready 48x48 square to its probabilities.  Target: 5 ms.
2. A whole answer: the portrait that Matplotlib ships, decoded, searched, cropped, classified.
3. Bytes of the two networks, as they are sent without compression.  Target: 2 MB.

Needs requirements-extras.txt and an installed Chromium.
"""

import shutil
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.measuring import describe_machine, ranging, verdict
from benchmarks.predict import portrait
from facial_expression.core.command import parser
from facial_expression.core.errors import SourceError, run
from tools.site.__main__ import RELEASED_INT8
from tools.site.__main__ import main as site
from tools.site.page import NETWORKS

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
CLASSIFY, ANSWERS, WARM_UP = 500, 20, 20
MILLISECONDS, BYTES = 5, 2e6  # the targets

TIMES = """
async ([count, warmUp]) => {
  const settings = await (await fetch("engine/settings.json")).json();
  const { expressions } = await import("/engine/expression.js");
  const classify = await expressions(settings.side);
  const times = [];
  for (let i = 0; i < count + warmUp; i++) {
    const data = crypto.getRandomValues(new Uint8Array(settings.side ** 2));
    const started = performance.now();
    await classify([{ data }]);
    times.push(performance.now() - started);
  }
  return times.slice(warmUp);
}
"""

ANSWER = """
async ([bytes, count]) => {
  const url = new URL("engine/worker.js", location.href).href;
  const code = new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(code), { type: "module" });
  const blob = new Blob([Uint8Array.from(bytes)]);
  const times = [];
  for (let number = 0; number <= count; number++) {
    const started = performance.now();
    const { data } = await new Promise((resolve) => {
      worker.onmessage = resolve;
      worker.postMessage({ number, blob });
    });
    if (data.answer?.faces.length !== 1) throw new Error(data.error ?? "expected one face");
    times.push(performance.now() - started);
  }
  return times.slice(1);
}
"""


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main(argv: Sequence[str] | None = None) -> None:
    """Make the page, open it, print the table."""
    arguments = parser("benchmarks.browser", __doc__)
    arguments.add_argument("--model", type=Path, default=RELEASED_INT8, help="an ONNX network")
    arguments.add_argument("--runtime", type=Path, help="see `python -m tools.site --help`")
    args = arguments.parse_args(argv)
    chromium = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not chromium:
        raise SourceError(f"expected one of {', '.join(CHROMIUMS)}, found none; install Chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        options = ["--runtime", str(args.runtime)] if args.runtime else []
        site(["--out", name, "--model", str(args.model), *options])
        portrait().save(folder / "portrait.jpg", quality=95)
        size = sum((folder / network).stat().st_size for network in NETWORKS)
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=name)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            classified = page.evaluate(TIMES, [CLASSIFY, WARM_UP])
            picture = list((folder / "portrait.jpg").read_bytes())
            answered = page.evaluate(ANSWER, [picture, ANSWERS])
            version = browser.version
            browser.close()
            server.shutdown()
    print(f"{describe_machine(['playwright'])}, Chromium {version}; medians (ranges)\n")
    print("| what | figure | n | target |\n|---|---|---|---|")
    print(
        f"| one face classified | {ranging(classified, 2)} ms | {len(classified)} | "
        f"{MILLISECONDS} ms: {verdict(classified, MILLISECONDS)} |"
    )
    print(f"| a photograph answered | {ranging(answered, 0)} ms | {len(answered)} | |")
    print(f"| the two networks | {size:,} bytes | | {BYTES:,.0f}: {verdict([size], BYTES)} |")


if __name__ == "__main__":
    run(main)
