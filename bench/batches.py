"""Time a batch of the API's maximum size, phase by phase: ours, and plain use of the SDK.

    python bench/batches.py [REQUESTS]

REQUESTS (default 100,000, about 249 MB) requests like those to the answerer go to a local server
that accepts every body and streams prepared results. Each phase runs ROUNDS times, ours and plain
alternating, each time in a separate process; the table has median seconds, and the largest peak
memory of a process, including interpreter and libraries.

Plain: a list of dictionaries, ``client.messages.batches.create``, a loop over
``client.messages.batches.results``, ``model_dump_json`` of each, and one insert into DuckDB from
Arrow. ``create`` encodes the JSON while sending, so the plain "encode" only creates dictionaries:
compare the sum of "encode" and "submit". Rendering the prompts is part of "encode" in both.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Libraries are imported where they are used, so a process shows only its own phase's memory.
ROOT = Path(__file__).parents[1]
ROUNDS = 3
PHASES = ("encode", "submit", "download", "land")
WAYS = ("ours", "plain")
MODEL = "claude-haiku-4-5"
MAX_TOKENS = 800
PROMPT_LENGTH = 2_294
ANSWER_LENGTH = 400
BATCH = "msgbatch_bench"
PIECE = 1 << 20
SAME_TEXTS = """
select count(*), md5(string_agg(md5(concat_ws(' ', custom_id, text)), '' order by custom_id))
from (
    select
        {column} ->> '$.custom_id' as custom_id,
        {column} ->> '$.result.message.content[0].text' as text,
    from {table}
)
"""


@dataclass(frozen=True)
class Bench:
    """Settings of a phase."""

    folder: Path
    n_requests: int

    @property
    def results(self) -> Path:
        """The results that the server streams."""
        return self.folder / "results.jsonl"

    @property
    def planted(self) -> Path:
        """A landing file with the intent of the batch."""
        return self.folder / "planted.duckdb"

    @property
    def bodies(self) -> Path:
        """The folder of our body file."""
        return self.folder / "bodies"

    def landed(self, way: str) -> Path:
        """The database in which a way lands."""
        return self.folder / f"{way}.duckdb"


def main() -> None:
    """Run the benchmark and print its table; in a subprocess, serve or measure one phase."""
    parser = argparse.ArgumentParser(description="Time a batch as large as the API takes.")
    parser.add_argument("n_requests", nargs="?", type=int, default=100_000, metavar="REQUESTS")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        seconds = PARTS[options.part](Bench(options.folder, options.n_requests))
        if seconds is not None:
            print(seconds)
    else:
        with tempfile.TemporaryDirectory() as name:
            compare(Bench(Path(name), options.n_requests))


def compare(bench: Bench) -> None:
    """Measure every phase of both ways and print the results."""
    measure(bench, "prepare", "")
    measured = defaultdict(list)
    # The end of the block closes the server's input, which ends it.
    with process_of(bench, "serve", "") as server:
        address = server.stdout.readline().strip()
        for _ in range(ROUNDS):
            for phase in PHASES:
                for way in WAYS:
                    measured[way, phase].append(measure(bench, f"{way} {phase}", address))
    (body,) = bench.bodies.iterdir()
    sizes = [path.stat().st_size / 1e6 for path in (body, bench.results)]
    print(
        f"{bench.n_requests:,} requests, {sizes[0]:.0f} MB; results, {sizes[1]:.0f} MB; "
        f"{os.cpu_count()} cores"
    )
    print_table(measured, bench.n_requests)
    compare_texts(bench)


def measure(bench: Bench, part: str, address: str) -> tuple[float, float]:
    """Run a part of the benchmark in a separate process; return seconds and peak memory in MB."""
    with process_of(bench, part, address) as process:
        output = process.stdout.read()
        # Not `process.wait`, which does not report memory.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        sys.exit(f"{part} failed")
    return float(output), used.ru_maxrss / 1024


def process_of(bench: Bench, part: str, address: str) -> subprocess.Popen:
    """A process for a part of the benchmark, which can only reach the service at the address."""
    outside = {name: value for name, value in os.environ.items() if "ANTHROPIC" not in name}
    service = {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": "bench", "NO_PROXY": "127.0.0.1"}
    return subprocess.Popen(
        [
            *(sys.executable, __file__, str(bench.n_requests)),
            *("--folder", str(bench.folder), "--part", part),
        ],
        env=outside | service,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def print_table(measured: dict[tuple[str, str], list[tuple[float, float]]], n: int) -> None:
    """Print seconds, peak memory and requests per second of each phase, and in total."""
    seconds = {
        key: statistics.median(seconds for seconds, _ in rounds) for key, rounds in measured.items()
    }
    memory = {key: max(peak for _, peak in rounds) for key, rounds in measured.items()}
    print(
        "| phase | ours, s | plain, s | plain / ours | ours, MB | plain, MB "
        "| ours, requests/s | plain, requests/s |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, phases in {
        **{phase: (phase,) for phase in PHASES},
        "encode and submit": ("encode", "submit"),
        "download and land": ("download", "land"),
        "all": PHASES,
    }.items():
        ours, plain = (sum(seconds[way, phase] for phase in phases) for way in WAYS)
        our_peak, plain_peak = (max(memory[way, phase] for phase in phases) for way in WAYS)
        print(
            f"| {name} | {ours:.2f} | {plain:.2f} | {plain / ours:.1f} | {our_peak:,.0f} "
            f"| {plain_peak:,.0f} | {n / ours:,.0f} | {n / plain:,.0f} |"
        )


def compare_texts(bench: Bench) -> None:
    """Print a hash of the landed texts; fail if they differ between both ways."""
    import duckdb

    landed = []
    for way, table, column in (("ours", "responses", "body"), ("plain", "results", "result")):
        with duckdb.connect(str(bench.landed(way)), read_only=True) as connection:
            query = SAME_TEXTS.format(table=table, column=column)
            landed += connection.execute(query).fetchall()
    if landed != [(bench.n_requests, landed[0][1])] * 2:
        sys.exit(f"the two ways landed different texts: {landed}")
    print("both landed the same {:,} texts: {}".format(*landed[0]))


# What is sent and answered ---------------------------------------------------------------------


def prompts(n: int) -> Iterator[tuple[str, str]]:
    """The custom_id and the prompt of each request: a text of the sample and a question."""
    texts = sample()
    for number in range(n):
        start = number * 997 % (len(texts) - PROMPT_LENGTH)
        excerpt = texts[start : start + PROMPT_LENGTH]
        yield custom_id(number), f"<text>\n{excerpt}\n</text>\n\nWhat follows? ({number})\n"


def answers(n: int) -> Iterator[tuple[str, str]]:
    """The custom_id and the text of each answer, in a different order from the requests."""
    texts = sample()
    for number in reversed(range(n)):
        start = number * 991 % (len(texts) - ANSWER_LENGTH)
        yield custom_id(number), texts[start : start + ANSWER_LENGTH]


def sample() -> str:
    """All texts of the bundled sample."""
    rows = [json.loads(line) for line in (ROOT / "sample" / "rollouts.jsonl").open()]
    return "\n".join(row["prefix"] + row["continuation"] for row in rows)


def custom_id(number: int) -> str:
    """The custom_id of a request: a hash, as request ids are, and the attempt."""
    return f"{hashlib.md5(str(number).encode()).hexdigest()}-1"


def result(name: str, text: str) -> dict:
    """A line of results in the API's format."""
    return {
        "custom_id": name,
        "result": {
            "type": "succeeded",
            "message": {
                "id": f"msg_{name[:24]}",
                "type": "message",
                "role": "assistant",
                "model": MODEL,
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 580,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 0,
                        "ephemeral_1h_input_tokens": 0,
                    },
                    "output_tokens": 100,
                    "service_tier": "batch",
                },
            },
        },
    }


def prepare(bench: Bench) -> float:
    """Write the results that the server streams, and a landing file with the intent."""
    import orjson

    with bench.results.open("wb") as file:
        for name, text in answers(bench.n_requests):
            file.write(orjson.dumps(result(name, text)) + b"\n")
    plant(bench)
    return 0.0


def plant(bench: Bench) -> None:
    """Intend the batch, as a run does once the body is written."""
    import pyarrow

    from latent_probes import landing

    request_ids = [custom_id(number)[:-2] for number in range(bench.n_requests)]
    with landing.opened(bench.planted) as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            """
            create table warehouse.round_settings as
            select
                1 as round_number, 1 as n_docs, 1 as seed, 'source' as source_model,
                4 as calibration_level, 5 as n_answers, 'm' as generator_model,
                'm' as answerer_model, 'm' as judge_model, 'en' as language,
                'Qwen/Qwen3-8B' as tokenizer,
                4 as siblings_shown, 3 as min_siblings, 3 as typical_siblings,
                3 as min_sentences_beside_split, 12 as max_neighbours,
                0.25 as position_tolerance, 4000 as complement_characters,
                5 as further_siblings, 1200 as further_characters, 5 as min_atom_words
            """
        )
        connection.execute(
            "create table warehouse.round_documents as "
            "select 1 as round_number, 'doc' as doc_id, [0] as continuation_idxs, "
            "[100] as kept_lengths, [1] as further_idxs, [50] as further_lengths"
        )
        connection.register("ids", pyarrow.table({"request_id": request_ids}))
        connection.execute(
            """
            create temp table intended as
            select
                request_id, 1 as attempt, 'answerer' as stage, 1 as round_number, $model as model,
                'p' as prompt_hash, 'i' as input_hash, '{}' as settings,
                null as unit_map, null as fault,
            from ids
            order by request_id
            """,
            {"model": MODEL},
        )
        batch = {
            "batch_id": BATCH,
            "provider": "anthropic-batches",
            "n_requests": bench.n_requests,
            "mark_id": None,
            "mark_created_at": None,
        }
        landing.intend(connection, batch, "warehouse")
        landing.submitted(connection, BATCH, BATCH)


# The server ------------------------------------------------------------------------------------


def serve(bench: Bench) -> None:
    """Print the address, and serve until the input is closed, also if the benchmark dies."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.address = f"http://127.0.0.1:{server.server_port}"
        server.bench = bench
        print(server.address, flush=True)
        threading.Thread(target=server.serve_forever).start()
        sys.stdin.read()
        server.shutdown()


class Handler(BaseHTTPRequestHandler):
    """Accepts every batch without reading it, and streams the results."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        left = int(self.headers["content-length"])
        room = memoryview(bytearray(PIECE))
        while left:
            n_read = self.rfile.readinto(room[: min(left, PIECE)])
            if not n_read:
                raise ConnectionAbortedError
            left -= n_read
        self.send_batch()

    def do_GET(self) -> None:
        if self.path.endswith("/results"):
            self.send_results()
        else:
            self.send_batch()

    def send_batch(self) -> None:
        """Show the batch, which has always ended."""
        counts = dict.fromkeys(("processing", "errored", "canceled", "expired"), 0)
        batch = {
            "id": BATCH,
            "type": "message_batch",
            "processing_status": "ended",
            "request_counts": counts | {"succeeded": self.server.bench.n_requests},
            "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z",
            "ended_at": "2026-01-01T00:00:01Z",
            "cancel_initiated_at": None,
            "archived_at": None,
            "results_url": f"{self.server.address}/v1/messages/batches/{BATCH}/results",
        }
        content = json.dumps(batch).encode()
        self.begin("application/json", len(content))
        self.wfile.write(content)

    def send_results(self) -> None:
        """Send the file of results straight from the disk's cache."""
        with self.server.bench.results.open("rb") as file:
            self.begin("application/x-jsonl", os.fstat(file.fileno()).st_size)
            self.wfile.flush()
            self.connection.sendfile(file)

    def begin(self, content_type: str, length: int) -> None:
        """Send the head of an answer."""
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(length))
        self.end_headers()


# Ours ------------------------------------------------------------------------------------------


def our_encode(bench: Bench) -> float:
    """Requests to a body file."""
    from latent_probes.common import files
    from latent_probes.providers import Request
    from latent_probes.providers.anthropic_batches import AnthropicBatches

    provider = AnthropicBatches()
    started = time.perf_counter()
    requests = (
        Request(
            custom_id=name,
            stage="answerer",
            model=MODEL,
            input_hash="input",
            shown_hash="shown",
            prompt_hash="wording",
            max_tokens=MAX_TOKENS,
            thinking="none",
            thinking_tokens=0,
            schema=None,
            prompt=prompt,
        )
        for name, prompt in prompts(bench.n_requests)
    )
    files.write_by_hash(bench.bodies, map(provider.encode, requests))
    return time.perf_counter() - started


def our_submit(bench: Bench) -> float:
    """The body file to the server."""
    from latent_probes.providers.anthropic_batches import AnthropicBatches

    provider = AnthropicBatches()
    (body,) = bench.bodies.iterdir()
    started = time.perf_counter()
    provider.submit(body)
    return time.perf_counter() - started


def our_download(bench: Bench) -> float:
    """The results to a file."""
    from latent_probes.providers.anthropic_batches import AnthropicBatches

    provider = AnthropicBatches()
    started = time.perf_counter()
    provider.download(BATCH, bench.folder / "downloaded.jsonl")
    return time.perf_counter() - started


def our_land(bench: Bench) -> float:
    """The file of results to responses, each checked against the intent."""
    from latent_probes import landing

    path = bench.landed("ours")
    shutil.copy(bench.planted, path)
    started = time.perf_counter()
    with landing.opened(path) as connection:
        landing.stage_results(connection, bench.folder / "downloaded.jsonl")
        counts = landing.staged_counts(connection, BATCH)
        landing.add_responses(connection, BATCH, landing.MESSAGES_API)
    seconds = time.perf_counter() - started
    assert counts == {"succeeded": bench.n_requests}, counts
    return seconds


# The plain way ---------------------------------------------------------------------------------


def plain_requests(n: int) -> list[dict]:
    """Requests as the SDK takes them."""
    return [
        {
            "custom_id": name,
            "params": {
                "model": MODEL,
                "max_tokens": MAX_TOKENS,
                "messages": [{"role": "user", "content": prompt}],
            },
        }
        for name, prompt in prompts(n)
    ]


def plain_encode(bench: Bench) -> float:
    """Requests to a list of dictionaries."""
    started = time.perf_counter()
    plain_requests(bench.n_requests)
    return time.perf_counter() - started


def plain_submit(bench: Bench) -> float:
    """The list of dictionaries to the server."""
    import anthropic

    client = anthropic.Anthropic()
    requests = plain_requests(bench.n_requests)
    started = time.perf_counter()
    client.messages.batches.create(requests=requests)
    return time.perf_counter() - started


def plain_download(bench: Bench) -> float:
    """The results to objects of the SDK, none of them kept."""
    import anthropic

    client = anthropic.Anthropic()
    started = time.perf_counter()
    for _ in client.messages.batches.results(BATCH):
        pass
    return time.perf_counter() - started


def plain_land(bench: Bench) -> float:
    """Objects of the SDK to a table, not counting the time in which they arrive."""
    import anthropic
    import duckdb
    import pyarrow

    client = anthropic.Anthropic()
    path = bench.landed("plain")
    path.unlink(missing_ok=True)
    rows = []
    seconds = 0.0
    for answer in client.messages.batches.results(BATCH):
        started = time.perf_counter()
        rows.append((answer.custom_id, answer.result.type, answer.model_dump_json()))
        seconds += time.perf_counter() - started
    started = time.perf_counter()
    with duckdb.connect(str(path)) as connection:
        columns = zip(*rows, strict=True)
        names = ("custom_id", "outcome", "result")
        table = pyarrow.table(dict(zip(names, map(pyarrow.array, columns), strict=True)))
        connection.register("arrived", table)
        connection.execute(
            "create table results as select custom_id, outcome, result::json as result from arrived"
        )
    return seconds + time.perf_counter() - started


PARTS: dict[str, Callable[[Bench], float | None]] = {
    "prepare": prepare,
    "serve": serve,
    "ours encode": our_encode,
    "ours submit": our_submit,
    "ours download": our_download,
    "ours land": our_land,
    "plain encode": plain_encode,
    "plain submit": plain_submit,
    "plain download": plain_download,
    "plain land": plain_land,
}


if __name__ == "__main__":
    main()
