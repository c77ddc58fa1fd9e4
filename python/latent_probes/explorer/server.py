"""Serve the page and a data set to browsers on this machine only."""

from __future__ import annotations

import os
import re
import sys
import urllib.parse
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from latent_probes.explorer import page
from latent_probes.explorer.sources import Source

HOST = "127.0.0.1"
# Always the same, because a browser keeps bookmarks by address.
PORT = 8421
# What is read of a file at a time.
PIECE = 4 << 20
RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
# The page has the same policy inside; this one also holds if the page is changed.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Accept-Ranges": "bytes",
}


class ServerError(Exception):
    """The page cannot be served; the message says what to do."""


@contextmanager
def started(source: Source, port: int | None) -> Iterator[Server]:
    """A server of the data set at this port of the loopback interface.

    Without a port, at PORT, or at a free one if that is in use. Raises ServerError if the page is
    not built, or the port cannot be used.
    """
    if not page.is_built():
        raise ServerError(page.NOT_BUILT)
    try:
        server = Server(source, PORT if port is None else port)
    except OSError as error:
        if port is not None:
            raise ServerError(
                f"port {port} cannot be used ({error.strerror}): choose another with --port"
            ) from error
        server = Server(source, 0)
    with server:
        yield server


def open_browser(address: str) -> None:
    """Open the page, unless only a browser in this terminal could."""
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform in ("darwin", "win32") or has_display:
        webbrowser.open(address)


class Server(ThreadingHTTPServer):
    """A server of one data set; ``address`` is that of its page."""

    daemon_threads = True

    def __init__(self, source: Source, port: int):
        self.source = source
        self.pages = page.files()
        super().__init__((HOST, port), Handler)

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://{HOST}:{self.server_port}/{page.FOLDER}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a browser closes a connection whenever a page is left."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD, with ranges."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "latent-probes"
    sys_version = ""
    # Headers and content leave together; otherwise the content could wait for an acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Send a file of the page or of the data set, or a range of it."""
        # A page of another site whose name leads to this machine must not read the data set.
        hosts = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        if self.headers.get("Host") not in hosts:
            self.send(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")
        if path in ("", page.FOLDER):
            self.send(HTTPStatus.FOUND, {"Location": f"/{page.FOLDER}/"})
        elif path.startswith(f"{page.FOLDER}/"):
            name = path.removeprefix(f"{page.FOLDER}/") or "index.html"
            self.send_page(name)
        elif path in self.server.source.sizes:
            self.send_file(path, self.server.source.sizes[path])
        else:
            self.send(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        """Send only the headers."""
        self.do_GET()

    def send_page(self, name: str) -> None:
        """Send a file of the page."""
        content = self.server.pages.get(name)
        if content is None:
            self.send(HTTPStatus.NOT_FOUND)
        else:
            kind = TYPES["." + name.rpartition(".")[2]]
            self.send(HTTPStatus.OK, {"Content-Type": kind}, content)

    def send_file(self, path: str, size: int) -> None:
        """Send a file of the data set, or the range that is asked for."""
        headers = {"Content-Type": TYPES.get(path[path.rfind(".") :], "application/octet-stream")}
        status, start, end = HTTPStatus.OK, 0, size
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        if asked:
            start = int(asked[1])
            end = min(size, int(asked[2]) + 1) if asked[2] else size
            if start >= end:
                unsatisfiable = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                self.send(unsatisfiable, {"Content-Range": f"bytes */{size}"})
                return
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        try:
            content = self.server.source.read(path, start, min(end, start + PIECE))
        # The folder can be gone, the Hub unreachable.
        except Exception:
            self.send(HTTPStatus.BAD_GATEWAY)
            return
        self.send(status, headers, content, end - start)
        if self.command == "HEAD":
            return
        for place in range(start + PIECE, end, PIECE):
            self.wfile.write(self.server.source.read(path, place, min(end, place + PIECE)))

    def send(
        self,
        status: HTTPStatus,
        headers: dict[str, str] | None = None,
        content: bytes = b"",
        length: int | None = None,
    ) -> None:
        """Send a response, or the beginning of one that has ``length`` bytes."""
        self.send_response(status)
        for name, value in {**HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Print nothing: the terminal belongs to the command."""
