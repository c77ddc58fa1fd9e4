"""The stand-in over HTTP: routes, keys, bodies, and connections that break on command."""

from __future__ import annotations

import contextlib
import re
import secrets
import select
import socket
import struct
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import orjson

from stand_in import answers, checks, faults
from stand_in.faults import LONGEST_HANG, Fault, Faults, ResetError
from stand_in.ledger import Ledger, Post
from stand_in.refusals import RefusedError
from stand_in.service import Service

KEY = "stand-in-key"
MAX_REQUESTS = 100_000
MAX_BYTES = 256 << 20
PIECE = 1 << 16
BATCHES = "/v1/messages/batches"


class StandIn:
    """A stand-in for the API, from its making until it is closed.

    ``address`` and ``key`` are what a client needs. ``answer(model, prompt, key)`` gives the text
    of an answer; its key is the custom id without the attempt, or a hash of the prompt. A batch
    ends ``seconds`` after it was made.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str = KEY,
        seconds: float = 0.0,
        seed: int = 0,
        answer: answers.Answer = answers.answer,
        max_requests: int = MAX_REQUESTS,
        max_bytes: int = MAX_BYTES,
    ):
        self.key = key
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.faults = Faults(seed)
        self.plan = self.faults.plan
        self.chaos = self.faults.chaos
        self.service = Service(answer, self.faults, seconds, seed)
        self.http = Server(("127.0.0.1", port), Handler)
        self.http.stand_in = self
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering, on open connections too. An error of the stand-in itself comes out."""
        self.http.shutdown()
        self.http.server_close()
        self.http.close_connections()
        self.thread.join()
        if self.service.ledger.crashes:
            raise RuntimeError(self.service.ledger.crashes[0])

    @property
    def ledger(self) -> Ledger:
        """What was seen and done until now."""
        self.service.catch_up()
        with self.service.lock:
            return self.service.ledger.copy()

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass for the batches, without waiting for them."""
        self.service.seconds_ahead += seconds

    def end_batches(self) -> None:
        """Let every batch end now."""
        self.service.end_all()


class Server(ThreadingHTTPServer):
    """A thread for each connection, and a list of connections, so that all can be closed."""

    daemon_threads = True
    request_queue_size = 128
    stand_in: StandIn

    def __init__(self, *arguments: object):
        super().__init__(*arguments)
        self.connections: set[socket.socket] = set()

    def process_request(self, request: socket.socket, client_address: tuple) -> None:
        """Remember the connection."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        """Forget the connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Break off whatever is still going on."""
        for connection in self.connections.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: socket.socket, client_address: tuple) -> None:
        """A client that goes away is no error; nothing else gets here."""


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = PIECE
    server: Server

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def do_DELETE(self) -> None:
        self.respond()

    @property
    def stand_in(self) -> StandIn:
        return self.server.stand_in

    @property
    def service(self) -> Service:
        return self.stand_in.service

    def respond(self) -> None:
        """Answer one request, in whatever way that ends."""
        self.request_id = f"req_{secrets.token_hex(12)}"
        self.fault = faults.NO_FAULT
        self.has_body = self.command == "POST"
        try:
            self.route()
        except RefusedError as refusal:
            self.refuse(refusal)
        except ResetError:
            self.reset()
        except OSError:
            self.close_connection = True
        except Exception:
            self.service.ledger.crashes.append(traceback.format_exc())
            self.reset()

    def route(self) -> None:
        """Find who answers."""
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query))
        methods = set()
        for method, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, url.path)
            if found and method == self.command:
                if answer not in OPEN_ROUTES:
                    self.check_headers()
                answer(self, *found.groups())
                return
            methods |= {method} if found else set()
        if methods:
            raise RefusedError(405, "Method Not Allowed")
        raise RefusedError(404, "Not found")

    def check_headers(self) -> None:
        """The key and the version of the API."""
        bearer = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        given = self.headers.get("x-api-key") or bearer
        if not given:
            raise RefusedError(401, "x-api-key header is required")
        if given != self.stand_in.key:
            raise RefusedError(401, "invalid x-api-key")
        if not self.headers.get("anthropic-version"):
            raise RefusedError(400, "anthropic-version: header is required")

    def draw(self, place: str) -> Fault:
        """The fault that happens to this request; some are all that happens to it."""
        self.fault = self.stand_in.faults.draw(place)
        if self.fault.name in ("reset", "reset before the body"):
            raise ResetError
        if place != "creation" and (refusal := faults.refusal_of(self.fault)):
            raise refusal
        return self.fault

    # Bodies and answers ------------------------------------------------------------------------

    def pieces(self) -> Iterator[bytes]:
        """The body of the request, piece by piece."""
        self.has_body = False
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("content-length") or 0)
        while left:
            piece = self.rfile.read(min(left, PIECE))
            if not piece:
                raise ConnectionAbortedError
            left -= len(piece)
            yield piece

    def read_json(self) -> object:
        """The body, parsed. One that is too large is read to its end, but not kept."""
        body, size = bytearray(), 0
        for piece in self.pieces():
            size += len(piece)
            if size <= self.stand_in.max_bytes:
                body += piece
        if size > self.stand_in.max_bytes:
            raise RefusedError(413, "Request exceeds the maximum size")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RefusedError(400, f"The request body is not valid JSON: {error}") from error

    def refuse(self, refusal: RefusedError) -> None:
        """Answer with an error. The body is read first, as a client sends it whole."""
        if self.has_body:
            for _ in self.pieces():
                pass
        self.send(refusal.body(self.request_id), refusal.status, refusal.headers)

    def send(self, body: dict, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer with a JSON object."""
        content = orjson.dumps(body)
        self.record(status)
        self.begin(status, "application/json", headers or {})
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.fault.name == "reset in the body":
            self.wfile.write(content[: len(content) // 2])
            raise ResetError
        self.wfile.write(content)

    def begin(self, status: int, content_type: str, headers: dict[str, str]) -> None:
        """Send what stands at the head of every answer."""
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("request-id", self.request_id)
        for name, value in headers.items():
            self.send_header(name, value)

    def send_lines(self, lines: Iterable[bytes]) -> None:
        """Answer with lines, in chunks, as their length is not known before the last."""
        self.begin(200, "application/x-jsonl", {"transfer-encoding": "chunked"})
        self.end_headers()
        waiting = bytearray()
        try:
            for line in lines:
                waiting += line
                if len(waiting) >= PIECE:
                    self.send_chunk(waiting)
                    waiting.clear()
        finally:
            self.send_chunk(waiting)
        self.wfile.write(b"0\r\n\r\n")

    def send_chunk(self, content: bytes) -> None:
        """Send a chunk; an empty one would end the answer."""
        if content:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))

    def record(self, status: int | None) -> None:
        """Enter a POST into the ledger. This happens before the client can know of an answer."""
        if self.command != "POST" or not self.path.startswith("/v1/"):
            return
        plain = "answered" if status == 200 else "refused"
        outcome = plain if self.fault is faults.NO_FAULT else self.fault.name
        with self.service.lock:
            self.service.ledger.posts.append(Post(self.path, status, outcome))

    def reset(self) -> None:
        """Break the connection off, so that the client sees a reset and no clean end."""
        self.close_connection = True
        if self.fault.name != "reset in the body":
            self.record(None)
        self.wfile.flush()
        linger_not = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        # The socket object stays open while a file of it is: only a bare close resets.
        socket.close(self.connection.detach())

    def hang(self) -> None:
        """Give no answer until the client gives up, or the fault is over."""
        self.record(None)
        seconds = LONGEST_HANG if self.fault.seconds is None else self.fault.seconds
        select.select([self.connection], [], [], min(seconds, LONGEST_HANG))
        self.close_connection = True

    # Batches -----------------------------------------------------------------------------------

    def create_batch(self) -> None:
        """POST /v1/messages/batches."""
        fault = self.draw("creation")
        body = self.read_json()
        checks.check_batch(body, self.stand_in.max_requests)
        if refusal := faults.refusal_of(fault):
            raise refusal
        requests = self.service.keep(body.pop("requests"))
        if fault.name.startswith("late commit"):
            self.service.commit_later(requests, 1.0 if fault.seconds is None else fault.seconds)
        else:
            batch = self.service.commit(requests)
        if fault.name == "double commit":
            self.service.commit(requests)
        if fault.name in ("reset after commit", "late commit after a reset"):
            raise ResetError
        if fault.name in ("error after commit", "late commit after an error"):
            raise faults.OUTAGES["internal error"]
        if fault.name == "hang after commit":
            return self.hang()
        return self.send(batch.as_json(self.stand_in.address))

    def list_batches(self) -> None:
        """GET /v1/messages/batches."""
        fault = self.draw("list")
        if fault.name == "stale list":
            self.service.hide_newest(1.0 if fault.seconds is None else fault.seconds)
        limit = self.query.get("limit", "20")
        if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
            raise RefusedError(400, "limit: Input should be from 1 to 1000")
        ids = (self.query.get("after_id"), self.query.get("before_id"))
        if all(ids):
            raise RefusedError(400, "after_id and before_id cannot be used together")
        page = self.service.page(int(limit), *ids)
        shown = [batch.as_json(self.stand_in.address) for batch in page.pop("batches")]
        self.send({"data": shown, **page})

    def retrieve_batch(self, batch_id: str) -> None:
        """GET /v1/messages/batches/{id}."""
        if self.draw("retrieval").name == "missing batch":
            raise RefusedError(404, f"Message batch {batch_id} not found.")
        self.send(self.service.get(batch_id).as_json(self.stand_in.address))

    def cancel_batch(self, batch_id: str) -> None:
        """POST /v1/messages/batches/{id}/cancel."""
        for _ in self.pieces():
            pass
        self.send(self.service.cancel(batch_id).as_json(self.stand_in.address))

    def delete_batch(self, batch_id: str) -> None:
        """DELETE /v1/messages/batches/{id}."""
        self.service.delete(batch_id)
        self.send({"id": batch_id, "type": "message_batch_deleted"})

    def download_results(self, batch_id: str) -> None:
        """GET /v1/messages/batches/{id}/results."""
        fault = self.draw("download")
        batch = self.service.get(batch_id)
        if batch.ended_at is None or fault.name == "missing results":
            raise RefusedError(404, f"Message batch {batch_id} has no results.")
        lines = self.service.lines(batch)
        self.send_lines(faults.damaged(fault, lines, len(batch.requests.custom_ids)))

    # Messages and models -----------------------------------------------------------------------

    def create_message(self) -> None:
        """POST /v1/messages."""
        fault = self.draw("message")
        params = self.read_json()
        checks.check_params(params)
        checks.check_sense(params)
        if params.get("stream"):
            raise RefusedError(400, "stream: the stand-in does not stream")
        if fault.name == "hang":
            return self.hang()
        key = answers.hash_of(answers.prompt_of(params))
        return self.send(self.service.message(params, key, self.request_id, "standard"))

    def count_tokens(self) -> None:
        """POST /v1/messages/count_tokens."""
        params = self.read_json()
        checks.check_count(params)
        checks.check_sense(params)
        self.send({"input_tokens": answers.count_tokens(answers.prompt_of(params))})

    def list_models(self) -> None:
        """GET /v1/models, on one page."""
        names = list(checks.MODELS)
        models = [model_as_json(name) for name in names]
        self.send({"data": models, "has_more": False, "first_id": names[0], "last_id": names[-1]})

    def retrieve_model(self, name: str) -> None:
        """GET /v1/models/{name}."""
        if checks.full_name(name) not in checks.MODELS:
            raise RefusedError(404, f"model: {name}")
        self.send(model_as_json(checks.full_name(name)))

    # Not of the API ----------------------------------------------------------------------------

    def show_ledger(self) -> None:
        """GET /ledger: what was seen and done until now."""
        self.send(self.stand_in.ledger.as_json())

    def plan_fault(self) -> None:
        """POST /faults with the arguments of ``plan``, or of ``chaos`` if there is a seed."""
        arguments = self.read_json()
        plan = self.stand_in.chaos if "seed" in arguments else self.stand_in.plan
        try:
            plan(**arguments)
        except (TypeError, ValueError) as error:
            raise RefusedError(400, str(error)) from error
        self.send({})

    def clear_faults(self) -> None:
        """DELETE /faults: forget what is planned."""
        self.stand_in.faults.clear()
        self.send({})


def model_as_json(name: str) -> dict:
    """A model as the API shows it, without what nobody asks for."""
    return {
        "id": name,
        "type": "model",
        "display_name": name.replace("-", " ").title(),
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_tokens": checks.MODELS[name].max_tokens,
    }


ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("POST", BATCHES, Handler.create_batch),
    ("GET", BATCHES, Handler.list_batches),
    ("GET", f"{BATCHES}/([^/]+)", Handler.retrieve_batch),
    ("DELETE", f"{BATCHES}/([^/]+)", Handler.delete_batch),
    ("POST", f"{BATCHES}/([^/]+)/cancel", Handler.cancel_batch),
    ("GET", f"{BATCHES}/([^/]+)/results", Handler.download_results),
    ("POST", "/v1/messages", Handler.create_message),
    ("POST", "/v1/messages/count_tokens", Handler.count_tokens),
    ("GET", "/v1/models", Handler.list_models),
    ("GET", "/v1/models/([^/]+)", Handler.retrieve_model),
    ("GET", "/ledger", Handler.show_ledger),
    ("POST", "/faults", Handler.plan_fault),
    ("DELETE", "/faults", Handler.clear_faults),
)
OPEN_ROUTES = (Handler.show_ledger, Handler.plan_fault, Handler.clear_faults)
