"""The files of the static page."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from facial_expression.inference import detection
from facial_expression.inference.network import Network
from facial_expression.pictures.images import MAX_PIXELS
from tools.site import runtime
from tools.web import examples
from tools.web.answer import PREVIEW
from tools.web.card import documents, known

PAGE, ENGINE = Path(__file__).parents[1] / "web" / "page", Path(__file__).parent / "engine"
EXPRESSION, DETECTOR = NETWORKS = ("networks/expression.onnx", "networks/face-detector.onnx")
SERVER = "server.js"  # the other engine

MAX_BYTES = 256 * 2**20
"""Largest picture file."""

SETTINGS = (
    *("SCORE", "SMALLEST", "FINE", "COARSE", "LARGEST", "CLEAR", "MOST", "STEP", "RIM", "SEAM"),
    *("DOUBT", "DOUBTFUL", "SMALL", "ENLARGED", "OVERLAP", "STRIDES"),
)
"""What the browser's detector takes from `facial_expression.inference.detection`."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
    "style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""Content-Security-Policy: the browser refuses every request to elsewhere."""

RUNS_ON = (
    f"The browser runs the network with {runtime.PACKAGE.replace('@', ' ')} and finds faces with "
    "YuNet."
)

MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def page(model: Path, tarball: Path | None) -> dict[str, bytes]:
    """Path in the folder -> bytes of the file; the same input gives the same bytes.

    Args:
        model: an ONNX network that stage export wrote.
        tarball: see `runtime.files`.

    Raises:
        ModelError: the network cannot be used, or the detector's weights are missing.
        SourceError, ChecksumError: see `runtime.files`.
    """
    program = runtime.files(tarball)
    network = Network(model)
    drawn = examples.draw()
    static = {f"static/{path.name}": path.read_bytes() for path in _files(PAGE / "static")}
    del static[f"static/{SERVER}"]
    return {
        "index.html": _html(model, network.facts, list(drawn)),
        "notices.txt": _notices(network.facts),
        **static,
        **{f"engine/{path.name}": path.read_bytes() for path in _files(ENGINE)},
        "engine/settings.json": json.dumps(_settings(network), indent=1).encode(),
        EXPRESSION: model.read_bytes(),
        DETECTOR: detection.network(),
        **{f"examples/{name}.png": data for name, data in drawn.items()},
        **{f"onnxruntime/{name}": data for name, data in program.items()},
    }


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.*"))


def _html(model: Path, facts: Mapping[str, str], drawn: list[str]) -> bytes:
    loader = FileSystemLoader(PAGE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    html = environment.get_template("index.html").render(
        facts={**dict.fromkeys(("dataset", "accuracy", "int8", "protocol", "terms"), ""), **facts},
        known=known(facts),
        documents=documents(model),
        examples=drawn,
        max_bytes=MAX_BYTES,
        place="browser",
        policy=POLICY,
        runs_on=RUNS_ON,
    )
    return html.encode()


def _settings(network: Network) -> dict[str, object]:
    """What the engine shares with Python."""
    return {
        "classes": network.classes,
        "side": network.side,
        "crop": asdict(network.crop),
        "most_pixels": MAX_PIXELS,
        "preview": PREVIEW,
        "detector": {name.lower(): getattr(detection, name) for name in SETTINGS},
    }


def _notices(facts: Mapping[str, str]) -> bytes:
    """Whose the parts of the page are, and under which terms."""
    owners = {
        "static/, engine/, examples/": "The facial-expression pipeline's founders",
        "onnxruntime/": f"Microsoft Corporation ({runtime.PACKAGE}; the parts that it is built "
        "from are listed in the file ThirdPartyNotices.txt of its source)",
        DETECTOR: "Shiqi Yu (YuNet, from OpenCV's model zoo)",
    }
    lines = [f"{part}: Copyright (c) {owner}" for part, owner in owners.items()]
    terms = f"{EXPRESSION}: {facts.get('terms') or facts.get('licence') or 'terms unknown'}"
    return "\n".join([terms, "", *lines, "", MIT]).encode()
