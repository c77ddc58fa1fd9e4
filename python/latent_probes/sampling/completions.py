"""A source model behind the completions endpoint of an OpenAI-compatible server, such as vLLM.

Each rollout is a request of its own with a seed of its own, many at a time; the server's cache of
prefixes shares what siblings have in common. What has come is landed every few seconds.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator

import httpx2
import orjson

from latent_probes.sampling import tokenizing
from latent_probes.sampling.rollouts import Sampled, Settings, Wanted

# A long continuation on a busy server takes minutes to its first byte.
TIMEOUT = httpx2.Timeout(600.0, connect=30.0)
MOST_TRIES = 8
# Doubled with each try, where the server does not say how long to wait.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
# What a kill may lose at most, besides what is in flight.
LAND_EVERY_SECONDS = 2.0
# Statuses that say something of one request, and nothing of the next.
FAULTS_OF_A_REQUEST = {400, 413, 422}
# But a server whose context is too short refuses them all.
MOST_FAULTS = 20
LONGEST_MESSAGE = 500


class CompletionsError(Exception):
    """A server that cannot be used; the message says why and what to do."""


class RolloutFailedError(Exception):
    """A rollout that is not to be had; others may be."""


class ServerUnavailableError(RolloutFailedError):
    """A rollout for which the server was busy or silent at every try."""


class RetryableError(Exception):
    """A request that may be sent again."""

    def __init__(self, reason: str, seconds: float | None = None):
        super().__init__(reason)
        self.seconds = seconds


class ServedModel:
    """``model``, served at ``address`` (``http://host:port/v1``).

    With the name or folder of a ``tokenizer``, prompts are sent as token ids, and what comes back
    as token ids is decoded as in this process; without, the server reads and writes text. The key,
    if the server wants one, comes from OPENAI_API_KEY. Raises CompletionsError.
    """

    def __init__(
        self, address: str, model: str, revision: str | None, tokenizer: str | None, in_flight: int
    ):
        self.address = address.rstrip("/")
        self.model = model
        self.in_flight = in_flight
        self.tokenizer = tokenizer and tokenizing.load(tokenizer, None)
        self.n_answered = 0
        self.n_faults_in_a_row = 0
        url = parsed(self.address)
        if url is None or url.scheme not in ("http", "https") or not url.host:
            raise CompletionsError("--server must be http://… or https://…, as a rule with /v1")
        # A password in it is nobody's business.
        self.shown_address = f"{url.scheme}://{self.address.partition('://')[2].rpartition('@')[2]}"
        key = os.environ.get("OPENAI_API_KEY", "")
        if not (key.isascii() and key.isprintable() and key == key.strip()):
            raise CompletionsError(
                "OPENAI_API_KEY has a line break, a space at its end or a character no key has"
            )
        self.headers = {"content-type": "application/json"}
        if key:
            self.headers["authorization"] = f"Bearer {key}"
        self.settings = {
            "sampler": "completions",
            "model": model,
            "revision": revision,
            "tokenizer": tokenizer and tokenizing.version(self.tokenizer, tokenizer, None),
        }
        self.environment = {
            "in_flight": in_flight,
            "server": self.ask_what_is_served(),
            "versions": {"tokenizers": importlib.metadata.version("tokenizers")}
            if tokenizer
            else {},
        }

    def ask_what_is_served(self) -> dict:
        """What the server says of itself. Raises CompletionsError if it does not serve the model.

        A server that keeps no list of models is asked for the model all the same.
        """
        with httpx2.Client(headers=self.headers, timeout=30.0) as client:
            try:
                answer = client.get(f"{self.address}/models")
            except httpx2.HTTPError as error:
                raise CompletionsError(
                    f"no server answers at {self.shown_address} ({type(error).__name__}): "
                    "start it, or check --server"
                ) from None
            if answer.status_code in (401, 403):
                raise refused(answer)
            try:
                listed = {entry["id"]: entry for entry in answer.json()["data"]}
            except (ValueError, KeyError, TypeError):
                return {}
            if self.model not in listed:
                raise CompletionsError(
                    f"{self.shown_address} does not serve {self.model!r} but {', '.join(listed)}: "
                    "name one of them with --model"
                )
            said = {"owned_by": listed[self.model].get("owned_by")}
            try:
                # vLLM says this beside its API.
                version = client.get(f"{self.address.removesuffix('/v1')}/version").json()
                said["version"] = version["version"]
            except (httpx2.HTTPError, ValueError, KeyError, TypeError):
                pass
            return said

    def sample(
        self, wanted: list[Wanted], settings: Settings, land: Callable[[list[Sampled]], None]
    ) -> None:
        """Sample what is wanted, ``in_flight`` requests at a time, and land it as it comes.

        Raises CompletionsError at the end if some were not to be had, and at once if the server
        is away, or refuses one after the other.
        """
        asyncio.run(self.sample_all(iter(wanted), settings, land))

    async def sample_all(
        self,
        wanted: Iterator[Wanted],
        settings: Settings,
        land: Callable[[list[Sampled]], None],
    ) -> None:
        """Sample with as many workers as requests may be in flight; what came is never dropped."""
        finished: list[Sampled] = []
        faults: list[str] = []
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=self.in_flight)

        async def work() -> None:
            for row in wanted:
                n_answered = self.n_answered
                try:
                    finished.append(await self.ask(client, row, settings))
                except RolloutFailedError as fault:
                    faults.append(f"document {row.prefix.doc_id!r}: {fault}")
                    self.n_faults_in_a_row += 1
                    is_away = (
                        isinstance(fault, ServerUnavailableError) and self.n_answered == n_answered
                    )
                    if is_away or self.n_faults_in_a_row >= MOST_FAULTS:
                        raise
                    continue
                self.n_answered += 1
                self.n_faults_in_a_row = 0

        async def land_regularly(workers: list[asyncio.Task]) -> None:
            while not all(worker.done() for worker in workers):
                await asyncio.wait(workers, timeout=LAND_EVERY_SECONDS)
                if finished:
                    land(finished)
                    finished.clear()

        try:
            async with (
                httpx2.AsyncClient(headers=self.headers, timeout=TIMEOUT, limits=limits) as client,
                asyncio.TaskGroup() as tasks,
            ):
                workers = [tasks.create_task(work()) for _ in range(self.in_flight)]
                tasks.create_task(land_regularly(workers))
        except ExceptionGroup as errors:
            # Of what came after it, much is its consequence.
            error = errors.exceptions[0]
            if isinstance(error, RolloutFailedError):
                raise CompletionsError(
                    f"{faults[-1]}. What has landed stays: run the same command again"
                ) from None
            raise error from None
        finally:
            if finished:
                land(finished)
        if faults:
            raise CompletionsError(
                f"{len(faults):,} rollouts were not to be had, the others have landed. {faults[0]}"
            )

    async def ask(self, client: httpx2.AsyncClient, row: Wanted, settings: Settings) -> Sampled:
        """Ask for one rollout, several times if the server is busy or unavailable.

        Raises RolloutFailedError if this one fails, and CompletionsError if every one would.
        """
        prompt = (
            tokenizing.encode(self.tokenizer, row.prefix.text)
            if self.tokenizer
            else row.prefix.text
        )
        # Whatever is left out, a server may take from the settings that come with the model.
        body = orjson.dumps(
            {
                "model": self.model,
                "prompt": prompt,
                "max_tokens": settings.max_new_tokens,
                "temperature": settings.temperature,
                "top_p": settings.top_p,
                # What every version understands as all tokens.
                "top_k": settings.top_k or -1,
                "min_p": settings.min_p,
                "repetition_penalty": 1.0,
                "presence_penalty": 0.0,
                "frequency_penalty": 0.0,
                "seed": row.sampling_seed,
                "n": 1,
                "return_token_ids": True,
            }
        )
        for tries in range(MOST_TRIES):
            try:
                return self.read(row, prompt, await self.post(client, body))
            except RetryableError as error:
                fault = error
            # A wait of nothing is as good as none named: it would use up all tries at once.
            seconds = fault.seconds or FIRST_WAIT_SECONDS * 2**tries
            await asyncio.sleep(min(seconds, LONGEST_WAIT_SECONDS))
        raise ServerUnavailableError(
            f"{self.shown_address} did not answer in {MOST_TRIES} tries ({fault})"
        )

    async def post(self, client: httpx2.AsyncClient, body: bytes) -> dict:
        """The server's answer. Raises RetryableError for what may be better at the next try."""
        try:
            response = await client.post(f"{self.address}/completions", content=body)
        except httpx2.HTTPError as error:
            raise RetryableError(type(error).__name__) from None
        if response.status_code in (408, 409, 429) or response.status_code >= 500:
            raise RetryableError(f"status {response.status_code}", seconds_of(response))
        if response.status_code != 200:
            raise refused(response)
        try:
            # Less strict than orjson: half a character is dealt with where the text is.
            return json.loads(response.content)
        except ValueError as error:
            raise RetryableError(f"an answer that is no JSON: {error}") from None

    def read(self, row: Wanted, prompt: list[int] | str, answer: dict) -> Sampled:
        """The rollout in an answer."""
        try:
            (choice,) = answer["choices"]
            text, reason = tokenizing.mended(choice["text"]), choice["finish_reason"]
            fed = token_ids(choice.get("prompt_token_ids")) or (prompt if self.tokenizer else None)
            ids = token_ids(choice.get("token_ids"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RetryableError(f"an answer that is no completion ({error})") from None
        if reason not in ("stop", "length"):
            raise RetryableError(f"a rollout that ended by {reason!r}")
        if self.tokenizer and fed != prompt:
            raise RolloutFailedError("the server read other tokens than were sent")
        if self.tokenizer and ids is not None:
            text = tokenizing.continuation(self.tokenizer, fed, ids)
        return Sampled(row, text, fed, ids, reason)


def token_ids(value: object) -> list[int] | None:
    """What a server says are token ids, if they are."""
    is_known = isinstance(value, list) and all(
        type(part) is int and 0 <= part < 2**31 for part in value
    )
    return value if is_known else None


def parsed(address: str) -> httpx2.URL | None:
    """An address, if it is one; it is not repeated in errors where it is none."""
    try:
        return httpx2.URL(address)
    except httpx2.InvalidURL:
        return None


def refused(response: httpx2.Response) -> CompletionsError | RolloutFailedError:
    """What it means that a server refuses a request; names no header and no key."""
    said = response.text.strip()
    try:
        found = orjson.loads(response.content)
        said = found.get("error", found).get("message") or said
    except (orjson.JSONDecodeError, AttributeError):
        pass
    if len(said) > LONGEST_MESSAGE:
        said = f"{said[:LONGEST_MESSAGE]}…"
    remedies = {
        400: "check --model, and whether prefix and --max-new-tokens fit the server's context",
        401: "check OPENAI_API_KEY",
        403: "check OPENAI_API_KEY",
        404: "check --model, and --server, which as a rule ends in /v1",
    }
    remedy = remedies.get(response.status_code, "check --server")
    kind = RolloutFailedError if response.status_code in FAULTS_OF_A_REQUEST else CompletionsError
    return kind(f"the server says {response.status_code}: {said} ({remedy})")


def seconds_of(response: httpx2.Response) -> float | None:
    """How long the server asks to wait; None if it does not say in seconds."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None
