"""The stand-in over HTTP: the Hub, and the store for large files."""

from __future__ import annotations

import fcntl
import json
import re
import select
import socket
import struct
import termios
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from stand_in.server import Server

from stand_in_hub.pushes import Pushes, Uploads
from stand_in_hub.repositories import Commit, File, Repository

TOKEN = "hf_stand_in_token"
PIECE = 1 << 16
LONGEST_HANG = 30.0
READ_PLACES = ("info", "tree", "resolve", "content")
WRITTEN_PLACES = ("create", "validate", "preupload", "batch", "upload", "commit")
PLACES = READ_PLACES + WRITTEN_PLACES
FAULTS = ("status", "reset", "end", "hang", "other bytes", "no ranges", "no Hub", "lost")


@dataclass(frozen=True)
class Request:
    """One request, and what came of it. ``n_sent`` counts bytes of a file."""

    place: str
    method: str
    path: str
    range: str | None
    has_token: bool
    status: int
    n_sent: int = 0


@dataclass
class Plan:
    """A fault that is to happen ``times`` times at a place, or without end if that is None."""

    fault: str
    place: str
    times: int | None
    status: int
    after: int
    path: str


class RefusedError(Exception):
    """The Hub says no, with the headers by which its client tells why."""

    def __init__(self, status: int, message: str, code: str = ""):
        super().__init__(message)
        self.status = status
        self.headers = {"x-error-message": message}
        if code:
            self.headers["x-error-code"] = code


class StandInHub:
    """A stand-in for the Hub, from its making until it is closed.

    ``address`` and ``token`` are what a client needs; the token is asked for only where a data set
    is private or gated. ``requests`` is what was asked, in order.
    """

    def __init__(self, *, files_on_a_page: int = 1000):
        self.token = TOKEN
        self.files_on_a_page = files_on_a_page
        self.repositories: dict[str, Repository] = {}
        self.store: dict[str, File] = {}
        self.requests: list[Request] = []
        # Bytes of large files that came, and what somebody else does before a commit is made.
        self.received = 0
        self.before_commit: Callable[[Repository], None] = lambda repository: None
        self.plans: list[Plan] = []
        self.crashes: list[str] = []
        self.lock = threading.Lock()
        self.servers = [Server(("127.0.0.1", 0), handler) for handler in (HubHandler, StoreHandler)]
        self.address, self.store_address = (
            f"http://127.0.0.1:{server.server_port}" for server in self.servers
        )
        self.threads = []
        for server in self.servers:
            server.stand_in = self
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def __enter__(self) -> StandInHub:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering, on open connections too. An error of the stand-in itself comes out."""
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            server.server_close()
            server.close_connections()
            thread.join()
        if self.crashes:
            raise RuntimeError(self.crashes[0])

    def create(self, name: str, **settings: bool) -> Repository:
        """Make a data set without commits."""
        self.repositories[name] = Repository(name, **settings)
        return self.repositories[name]

    def plan(
        self,
        fault: str,
        *,
        at: str,
        times: int | None = 1,
        status: int = 503,
        after: int = 0,
        path: str = "",
    ) -> None:
        """Let a fault happen ``times`` times, or without end if that is None.

        ``after`` is how many bytes of a file are sent, or taken, before it, ``path`` a part of the
        path asked. ``lost`` is a commit that is made, and of which the client does not hear.
        """
        if fault not in FAULTS or at not in PLACES:
            raise ValueError(f"no fault {fault!r} at {at!r}")
        self.plans.append(Plan(fault, at, times, status, after, path))

    def draw(self, place: str, path: str) -> Plan | None:
        """The fault that happens to a request."""
        with self.lock:
            for plan in self.plans:
                if plan.place == place and plan.times != 0 and plan.path in path:
                    if plan.times is not None:
                        plan.times -= 1
                    return plan
        return None

    def asked(self, place: str) -> list[Request]:
        """The requests at a place."""
        with self.lock:
            return [request for request in self.requests if request.place == place]


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = PIECE
    routes: tuple = ()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.respond()

    def do_HEAD(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        # Read whatever comes of it: what stays in the line would be taken for the next request.
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.respond()

    def do_PUT(self) -> None:
        self.respond()

    def refused(self, status: int, message: str) -> RefusedError:
        """A refusal, to be raised."""
        return RefusedError(status, message)

    @property
    def hub(self) -> StandInHub:
        return self.server.stand_in

    @property
    def given_token(self) -> str:
        """The token that whoever asks has."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else ""

    def respond(self) -> None:
        """Answer one request, in whatever way that ends."""
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self.place, self.fault, self.status, self.n_sent = "elsewhere", None, 0, 0
        self.is_logged = False
        try:
            for place, pattern, answer in self.routes:
                if found := re.fullmatch(pattern, url.path):
                    self.place = place
                    self.fault = self.hub.draw(place, unquote(url.path))
                    self.fail_at_once()
                    answer(self, *(part and unquote(part) for part in found.groups()))
                    break
            else:
                raise RefusedError(404, "Not found")
        except RefusedError as refusal:
            self.send(refusal.status, {"error": str(refusal)}, refusal.headers)
        except OSError:
            self.close_connection = True
        except Exception:
            self.hub.crashes.append(traceback.format_exc())
            self.close_connection = True
        self.log()

    def log(self) -> None:
        """Enter the request into the log, once."""
        if self.is_logged:
            return
        self.is_logged = True
        with self.hub.lock:
            self.hub.requests.append(
                Request(
                    self.place,
                    self.command,
                    self.path,
                    self.headers.get("range"),
                    bool(self.given_token),
                    self.status,
                    self.n_sent,
                )
            )

    def fail_at_once(self) -> None:
        """A fault that is all that happens to the request."""
        if self.fault and self.fault.fault == "status":
            if self.command == "PUT":
                self.rfile.read(int(self.headers["content-length"]))
            raise RefusedError(self.fault.status, "This is a planned fault.")
        if self.fault and self.fault.fault == "reset" and self.place not in ("content", "upload"):
            self.reset()
            raise ConnectionResetError

    # Answers -----------------------------------------------------------------------------------

    def send(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        """Answer with JSON, or with a page of something that is no Hub."""
        if self.fault and self.fault.fault == "no Hub":
            content, kind = b"<html>Please log in</html>", "text/html"
        else:
            content, kind = json.dumps(body).encode(), "application/json"
        self.begin(
            status, {"content-type": kind, "content-length": len(content), **(headers or {})}
        )
        if self.command != "HEAD":
            self.wfile.write(content)

    def begin(self, status: int, headers: dict[str, object]) -> None:
        """Send the head of an answer."""
        self.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def send_file(self, file: File, headers: dict[str, object]) -> None:
        """Answer with the bytes of a file, from where the client asks for them."""
        fault = self.fault.fault if self.fault else ""
        content = file.content
        if fault == "other bytes":
            content = content[::-1]
        start, end = 0, len(content)
        found = re.fullmatch(r"bytes=(\d+)-(\d+)?", self.headers.get("range") or "")
        if found and fault != "no ranges":
            start = int(found[1])
            end = min(end, int(found[2]) + 1) if found[2] else end
            if start >= len(content):
                raise RefusedError(416, "Range not satisfiable")
            headers["content-range"] = f"bytes {start}-{end - 1}/{len(content)}"
        rest = memoryview(content)[start:end]
        # Logged first: a client that has all bytes may ask on before this thread does.
        has_end = self.command != "HEAD" and fault not in ("reset", "end", "hang")
        self.status = 206 if "content-range" in headers else 200
        self.n_sent = (len(rest) if has_end else self.fault.after) if self.command == "GET" else 0
        self.log()
        self.begin(
            self.status,
            {"etag": f'"{file.etag}"', "content-length": len(rest), "accept-ranges": "bytes"}
            | headers,
        )
        if self.command == "HEAD":
            return
        self.wfile.write(rest[: self.n_sent])
        self.wfile.flush()
        if fault == "reset":
            self.reset()
        if fault == "hang":
            select.select([self.connection], [], [], LONGEST_HANG)
        if not has_end:
            self.close_connection = True

    def reset(self) -> None:
        """Break the connection off when all that was sent has arrived."""
        self.close_connection = True
        self.wfile.flush()
        waiting = bytearray(4)
        while fcntl.ioctl(self.connection, termios.TIOCOUTQ, waiting) == 0 and any(waiting):
            time.sleep(0.002)
        linger_not = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        # The socket object stays open while a file of it is: only a bare close resets.
        socket.close(self.connection.detach())


class HubHandler(Pushes, Handler):
    """The Hub itself."""

    def repository(self, name: str) -> Repository:
        """The data set, if whoever asks may know of it."""
        if self.given_token not in ("", self.hub.token):
            raise RefusedError(401, "Invalid credentials in Authorization header")
        found = self.hub.repositories.get(name)
        if found is None or (found.is_private and not self.given_token):
            if self.given_token:
                raise RefusedError(404, "Repository not found", "RepoNotFound")
            raise RefusedError(401, "Invalid username or password.")
        return found

    def commit(self, name: str, revision: str) -> Commit:
        """The commit of a data set that a revision means."""
        found = self.repository(name).at(revision)
        if found is None:
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found

    def info(self, name: str, revision: str | None) -> None:
        """GET /api/datasets/NAME/revision/REVISION."""
        commit = self.commit(name, revision or "main")
        siblings = [{"rfilename": path} for path in commit.files]
        self.send(200, {"id": name, "sha": commit.sha, "siblings": siblings})

    def tree(self, name: str, revision: str) -> None:
        """GET /api/datasets/NAME/tree/REVISION, page by page."""
        files = list(self.commit(name, revision).files.values())
        start = int(self.query.get("cursor", 0))
        end = start + self.hub.files_on_a_page
        headers = {}
        if end < len(files):
            path = urlsplit(self.path).path
            headers["link"] = f'<{self.hub.address}{path}?recursive=True&cursor={end}>; rel="next"'
        folders = {path.rpartition("/")[0] for path in self.commit(name, revision).files} - {""}
        entries = [{"type": "directory", "oid": "0" * 40, "path": path} for path in sorted(folders)]
        page = [file.as_json() for file in files[start:end]]
        self.send(200, (entries if start == 0 else []) + page, headers)

    def resolve(self, name: str, revision: str, path: str) -> None:
        """GET or HEAD /datasets/NAME/resolve/REVISION/PATH; a large file is elsewhere."""
        commit = self.commit(name, revision)
        if self.repository(name).is_gated:
            status = 403 if self.given_token else 401
            raise RefusedError(status, "Access to this data set is restricted.", "GatedRepo")
        file = commit.files.get(path)
        if file is None:
            raise RefusedError(404, "Entry not found", "EntryNotFound")
        headers = {"x-repo-commit": commit.sha}
        if not file.is_large:
            # A small file is sent by the Hub itself.
            self.place, self.fault = "content", self.hub.draw("content", path)
            self.fail_at_once()
            return self.send_file(file, headers)
        self.hub.store[file.sha256] = file
        signed = f"{self.hub.store_address}/{file.sha256}/{path.rpartition('/')[2]}?signature=s"
        self.begin(
            302,
            headers
            | {
                "location": signed,
                "x-linked-etag": f'"{file.etag}"',
                "x-linked-size": len(file.content),
                "content-length": 0,
            },
        )

    # A data set is known by its name, a Space by a name that begins with "spaces/".
    name = "(?:datasets/)?((?:spaces/)?[^/]+/[^/]+?)"
    routes = (
        ("create", "/api/repos/create", Pushes.create),
        ("validate", "/api/validate-yaml", Pushes.validate),
        ("preupload", f"/api/{name}/preupload/([^/]+)", Pushes.preupload),
        ("batch", rf"/{name}\.git/info/lfs/objects/batch", Pushes.batch),
        ("commit", f"/api/{name}/commit/([^/]+)", Pushes.commit_files),
        ("info", f"/api/{name}(?:/revision/([^/]+))?", info),
        ("tree", f"/api/{name}/tree/([^/]+)", tree),
        ("resolve", f"/{name}/resolve/([^/]+)/(.+)", resolve),
    )


class StoreHandler(Uploads, Handler):
    """The store of large files, another address than the Hub's."""

    def content(self, sha256: str, name: str) -> None:
        """GET a large file."""
        self.send_file(self.hub.store[sha256], {})

    routes = (
        ("upload", "/([0-9a-f]{64})/(put)", Uploads.upload),
        ("content", "/([0-9a-f]{64})/(.+)", content),
    )
