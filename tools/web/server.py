"""The server: one page, its examples, and one request that analyzes a picture.

Tests hold these promises.  Nothing is written to disk.  The page connects to this server only.
Another site's page can neither send pictures nor read answers, not even by DNS rebinding.  Size and
number of requests are limited.
"""

import ipaddress
import logging
import mimetypes
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from waitress.server import create_server
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from facial_expression.core.errors import ImageError, ParameterError
from tools.web.answer import Analyzer, BusyError
from tools.web.card import known

MAX_BYTES = 20 * 2**20
"""Largest picture file."""

MAX_REQUEST = MAX_BYTES + 2**20
"""Larger requests are cut off by waitress; below it, the application explains the limit."""

CONTENT_TYPE = "application/octet-stream"
"""Another site's page cannot send this type without a CORS preflight, which is never granted."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
THREADS, CONNECTIONS = 4, 64  # 64 uploads of the largest size at once are 1.3 GB
IDLE = 10  # seconds after which a connection that waits for nothing is closed
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def application(
    analyzer: Analyzer,
    facts: Mapping[str, str],
    documents: Mapping[str, Markup],
    examples: Mapping[str, bytes],
    host: str = LOOPBACK[0],
) -> Flask:
    """The WSGI application.

    Args:
        analyzer: makes the answers.
        facts: the network's metadata.
        documents: the model card and others as safe HTML, by what they are.
        examples: expression -> bytes of a PNG file.
        host: address that the server is bound to.
    """
    mimetypes.add_type("text/javascript", ".js")  # some systems are configured with text/plain
    app = Flask(__name__, template_folder="page", static_folder="page/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES

    @app.before_request
    def check_host() -> None:
        if not is_ours(request.host, host):
            abort(403, f"this page is not served under the name {request.host}")

    @app.get("/")
    def index() -> str:
        return render_template(
            "index.html", facts=facts, known=known(facts),
            documents=documents, examples=list(examples), max_bytes=MAX_BYTES,
            place="computer" if host in LOOPBACK else "server",
        )  # fmt: skip

    @app.get("/examples/<name>.png")
    def example(name: str) -> Response:
        return Response(examples[name] if name in examples else abort(404), mimetype="image/png")

    @app.post("/faces")
    def faces() -> ResponseReturnValue:
        if request.headers.get("Origin") not in (
            f"http://{request.host}",
            f"https://{request.host}",
        ):
            abort(403, "only this page may send pictures")
        if request.mimetype != CONTENT_TYPE:
            abort(415, f"expected {CONTENT_TYPE}, found {request.mimetype or 'no type'}")
        return jsonify(analyzer.analyze(request.get_data(cache=False), "whole" in request.args))

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    _answer_errors(app)
    return app


def _answer_errors(app: Flask) -> None:
    """Every error is a JSON object with one line for people."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        text = error.description or error.name
        if isinstance(error, RequestEntityTooLarge):
            text = f"the file is larger than {MAX_BYTES // 2**20} MB; send a smaller picture"
        return jsonify(error=text), error.code or 500

    @app.errorhandler(ImageError)
    def unreadable(error: ImageError) -> ResponseReturnValue:
        return jsonify(error=f"the picture cannot be read: {error}"), 422

    @app.errorhandler(BusyError)
    def busy(error: BusyError) -> ResponseReturnValue:
        return jsonify(error=str(error)), 503


def is_ours(asked: str, host: str) -> bool:
    """Whether a request's `Host` header names the server that is bound to `host`.

    On the loopback, only its own names do.  Elsewhere `host` and every IP address do too, because
    DNS rebinding needs a name.

    >>> is_ours("localhost:7860", "127.0.0.1"), is_ours("evil.example:7860", "127.0.0.1")
    (True, False)
    """
    try:
        name = urlsplit(f"//{asked}").hostname or ""
    except ValueError:
        return False
    if name in LOOPBACK or host in LOOPBACK:
        return name in LOOPBACK
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == host.lower()
    return True


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        ParameterError: the address cannot be used.
    """
    if not host:  # would serve on every address
        raise ParameterError("--host: expected an address such as 127.0.0.1, found an empty text")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(error).partition(" (while")[0]
        raise ParameterError(
            f"{host} port {port}: {reason}; choose another with --port or --host"
        ) from None


def serve(app: Flask, listening: socket.socket) -> None:
    """Answer until Ctrl-C.  Requests and answers stay in memory, never in a temporary file."""
    logging.getLogger("waitress").setLevel(logging.ERROR)  # no warning for each waiting task
    server = create_server(
        app,
        sockets=[listening],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE,
        cleanup_interval=1,
        max_request_body_size=MAX_REQUEST,  # above it waitress answers itself, in plain text
        inbuf_overflow=2 * MAX_BYTES,
        outbuf_overflow=2**30,
        ident=None,
    )
    server.run()
    server.close()
