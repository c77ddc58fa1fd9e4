"""A server with scripted responses, for cases that the stand-in for the API does not cover."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

MESSAGE = {"type": "message", "content": [{"type": "text", "text": "Yes."}]}


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    came_at: float

    @property
    def prompt(self) -> str:
        """The prompt of a message that is asked for."""
        return orjson.loads(self.body)["messages"][0]["content"]


@dataclass(frozen=True)
class Answer:
    """What is answered; a message, if nothing else is said.

    A content in pieces is sent without its length, for as long as there are pieces.
    """

    content: bytes | Iterable[bytes] = orjson.dumps(MESSAGE)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class ScriptedServer:
    """Answers by a function, and remembers what it was asked."""

    def __init__(self, script: Callable[[Asked], Answer]):
        self.script = script
        self.asked: list[Asked] = []
        self.http = Server(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.scripted = self
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> ScriptedServer:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class Server(ThreadingHTTPServer):
    """A client that goes away is no error of the server."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def respond(self) -> None:
        """Remember what is asked, and answer by the script."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body, time.monotonic())
        self.server.scripted.asked.append(asked)
        answer = self.server.scripted.script(asked)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.content, bytes):
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)
            return
        self.close_connection = True
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.writelines(answer.content)
