"""Serve a page to try a network on pictures, the webcam and drawn examples.

    python -m tools.web [--model FILE] [--port 7860] [--no-browser]

Reads   FILE, an ONNX network that stage export wrote; model_card.md and README.md beside it.
Writes  nothing: pictures stay in memory and are deleted with the answer.  No request leaves this
        machine.

The page is served on 127.0.0.1, to this machine only, until Ctrl-C.  With --host others can reach
it, without a password and without encryption; their browsers then do not allow the camera.
"""

import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import run
from facial_expression.inference.released import released


def main(argv: Sequence[str] | None = None) -> None:
    """Load the network and serve the page."""
    arguments = parser("tools.web", __doc__)
    add = arguments.add_argument
    add("--model", type=Path, metavar="FILE", help="default: the released network")
    add("--port", type=at_least(0), default=7860, help="default 7860; 0: any free one")
    add("--host", default="127.0.0.1", help="address to serve on (default 127.0.0.1)")
    add("--no-browser", action="store_true", help="do not open a browser")
    args = arguments.parse_args(argv)
    from facial_expression.inference.detection import Detector
    from facial_expression.inference.network import Network
    from tools.web import examples
    from tools.web.answer import Analyzer
    from tools.web.card import documents
    from tools.web.server import application, listen, serve

    model = args.model or released()
    network = Network(model)
    analyzer = Analyzer(network, Detector().find)
    with listen(args.host, args.port) as listening:
        texts = documents(model)
        app = application(analyzer, network.facts, texts, examples.draw(), args.host)
        name = f"[{args.host}]" if ":" in args.host else args.host
        url = f"http://{name}:{listening.getsockname()[1]}/"
        print(f"{url} shows the page; Ctrl-C ends it", flush=True)
        if not args.no_browser:  # some browsers return only when they are closed
            threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
        serve(app, listening)
    print("\nthe page is closed", file=sys.stderr)


if __name__ == "__main__":
    run(main)
