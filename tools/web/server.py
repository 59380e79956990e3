"""The application behind the page: one document, its drawings, and one question to ask.

What it promises, and tests hold: nothing is written to disk; no page loads from or sends to
anywhere else; another site's page can neither ask nor, by renaming itself to this machine (DNS
rebinding), read; what is sent is small, and few are served at a time.
"""

from __future__ import annotations

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
from tools.web.answer import Analyst, BusyError
from tools.web.card import known

MAX_BYTES = 20 * 2**20
"""Of a picture file."""

AWAITED = MAX_BYTES + 2**20
"""Bytes of a request that are awaited: a file that is a little too large is told so kindly."""

SENT_AS = "application/octet-stream"
"""A type that another site's page may not send without asking first, which is never granted."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
THREADS, CONNECTIONS = 4, 24  # 24 uploads of the largest size are 504 MB
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
    analyst: Analyst,
    facts: Mapping[str, str],
    card: str,
    examples: Mapping[str, bytes],
    host: str = LOOPBACK[0],
) -> Flask:
    """The WSGI application.

    Args:
        analyst: answers.
        facts: the network's metadata.
        card: the model card as safe HTML, or empty.
        examples: expression -> bytes of a PNG file.
        host: what the server is bound to.
    """
    mimetypes.add_type("text/javascript", ".js")  # some systems' tables say text/plain
    app = Flask(__name__, template_folder="page", static_folder="page/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES

    @app.before_request
    def refuse_strangers() -> None:
        if not is_ours(request.host, host):
            abort(403, f"this page is not served as {request.host}")

    @app.get("/")
    def index() -> str:
        return render_template(
            "index.html", facts=facts, known=known(facts),
            card=Markup(card), examples=list(examples), local=host in LOOPBACK,
            max_bytes=MAX_BYTES,
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
            abort(403, "only this page may ask")
        if request.mimetype != SENT_AS:
            abort(415, f"expected {SENT_AS}, found {request.mimetype or 'no type'}")
        return jsonify(analyst.look(request.get_data(cache=False), "whole" in request.args))

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    _answer_errors(app)
    return app


def _answer_errors(app: Flask) -> None:
    """Every error is an object with one line for people."""

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
    """Whether a request's header `Host` is a name of the server that is bound to `host`.

    On the loopback only its own names are.  Elsewhere so are `host` and every bare address: no
    page can be given one by DNS.

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
        ParameterError: that address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(error).partition(" (while")[0]
        raise ParameterError(
            f"{host} port {port}: {reason}; choose another with --port or --host"
        ) from None


def serve(app: Flask, listening: socket.socket) -> None:
    """Answer until Ctrl-C.  Whole requests and answers stay in memory: no temporary file."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # waiting is no news
    server = create_server(
        app,
        sockets=[listening],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        max_request_body_size=AWAITED,  # from there on it answers by itself, in plain text
        inbuf_overflow=2 * MAX_BYTES,
        outbuf_overflow=2**30,
        ident=None,
    )
    server.run()
    server.close()
