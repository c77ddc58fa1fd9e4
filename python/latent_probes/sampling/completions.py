"""A source model behind the completions endpoint of an OpenAI-compatible server, such as vLLM.

Each rollout is a separate request with its own seed, and many are in flight at a time; the server's
prefix cache shares the work of siblings. Finished rollouts land every few seconds.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from collections.abc import Callable, Iterator

import httpx2
import orjson

from latent_probes.common import connections, limits, strict_json
from latent_probes.sampling import tokenizing
from latent_probes.sampling.rollouts import Sampled, Settings, Wanted

# A long continuation on a busy server takes minutes to its first byte.
TIMEOUT = httpx2.Timeout(600.0, connect=30.0)
MOST_TRIES = 8
# Doubled with each try, unless the server says how long to wait.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
# A kill loses at most this much finished work, plus what is in flight.
LAND_EVERY_SECONDS = 2.0
# Statuses that concern one request only.
FAULTS_OF_A_REQUEST = {400, 413, 422}
# A server whose context window is too short refuses them all.
MOST_FAULTS = 20


class CompletionsError(Exception):
    """A server that cannot be used; the message says why and what to do."""


class RolloutFailedError(Exception):
    """A rollout that cannot be sampled; others may still succeed."""


class ServerUnavailableError(RolloutFailedError):
    """A rollout for which the server was busy or unreachable at every try."""


class RetryableError(Exception):
    """A request that can be sent again."""

    def __init__(self, reason: str, seconds: float | None = None):
        super().__init__(reason)
        self.seconds = seconds


class StrangeResponseError(RetryableError):
    """A response that is not a completion: each can be billed, so a few end the request."""


class ServedModel:
    """A model served at ``address`` (``http://host:port/v1``).

    With a ``tokenizer`` (name or folder), prompts are sent as token ids, and returned ids are
    decoded as for a model in this process; without one, the server takes and returns text. The key,
    if the server needs one, comes from OPENAI_API_KEY. Raises CompletionsError.
    """

    def __init__(
        self, address: str, model: str, revision: str | None, tokenizer: str | None, in_flight: int
    ):
        self.model = model
        self.in_flight = in_flight
        self.tokenizer = tokenizer and tokenizing.load(tokenizer, None)
        self.n_answered = 0
        self.n_faults_in_a_row = 0
        url = connections.parsed(address.rstrip("/"))
        if url is None:
            raise CompletionsError("--server must be http://… or https://…, usually ending in /v1")
        # A log or a message would show a password in the address.
        self.url, self.auth = connections.split(url)
        self.address = str(self.url).rstrip("/")
        key = os.environ.get("OPENAI_API_KEY", "")
        if not (key.isascii() and key.isprintable() and key == key.strip()):
            raise CompletionsError(
                "OPENAI_API_KEY contains a line break, a space at an end, or a character that is "
                "not allowed in a key"
            )
        self.headers = {"content-type": "application/json", **connections.HEADERS}
        self.has_secret = bool(key or self.auth)
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
        """The server's description of itself. Raises CompletionsError if it lacks the model.

        A server without a list of models is assumed to serve it.
        """
        try:
            connections.check_path(self.url, "--server")
            connections.check_proxies()
            with httpx2.Client(
                headers=self.headers,
                auth=self.auth,
                verify=connections.certificates(),
                timeout=30.0,
                event_hooks={"response": [connections.bound]},
            ) as client:
                if self.has_secret:
                    connections.check_secrecy(client, self.url, "--server")
                return self.described(client)
        except connections.AddressError as error:
            raise CompletionsError(str(error)) from None

    def described(self, client: httpx2.Client) -> dict:
        """What the server says of the model. Raises CompletionsError if it lacks the model."""
        try:
            answer = client.get(f"{self.address}/models")
        except httpx2.HTTPError as error:
            raise CompletionsError(
                f"no server responds at {self.address} ({type(error).__name__}): "
                "start it, or check --server"
            ) from None
        except connections.ResponseLimitError as error:
            raise CompletionsError(f"{self.address}/models: {error}; check --server") from None
        if answer.status_code in (401, 403) or answer.has_redirect_location:
            raise refused(answer)
        try:
            listed = {entry["id"]: entry for entry in read(answer)["data"]}
        except (ValueError, KeyError, TypeError):
            return {}
        if answer.status_code != 200:
            return {}
        if self.model not in listed:
            names = connections.shown(", ".join(map(str, listed)))
            raise CompletionsError(
                f"{self.address} does not serve {self.model!r}, only {names}: choose one of them "
                "with --model"
            )
        owner = listed[self.model].get("owned_by")
        said = {"owned_by": connections.shown(owner) if isinstance(owner, str) else None}
        try:
            # vLLM reports its version outside the API.
            version = read(client.get(f"{self.address.removesuffix('/v1')}/version"))
            said["version"] = connections.shown(str(version["version"]))
        except (
            *(httpx2.HTTPError, connections.ResponseLimitError),
            *(ValueError, KeyError, TypeError),
        ):
            pass
        return said

    def sample(
        self, wanted: list[Wanted], settings: Settings, land: Callable[[list[Sampled]], None]
    ) -> None:
        """Sample all of ``wanted``, ``in_flight`` requests at a time, and land results regularly.

        Raises CompletionsError at the end if some rollouts failed, and immediately if the server is
        unreachable or refuses request after request.
        """
        asyncio.run(self.sample_all(iter(wanted), settings, land))

    async def sample_all(
        self,
        wanted: Iterator[Wanted],
        settings: Settings,
        land: Callable[[list[Sampled]], None],
    ) -> None:
        """Sample with one worker per request in flight; finished rollouts always land."""
        finished: list[Sampled] = []
        faults: list[str] = []
        pool = httpx2.Limits(max_connections=None, max_keepalive_connections=self.in_flight)

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
                httpx2.AsyncClient(
                    headers=self.headers,
                    auth=self.auth,
                    verify=connections.certificates(),
                    timeout=TIMEOUT,
                    limits=pool,
                    event_hooks={"response": [connections.bound_async]},
                ) as client,
                asyncio.TaskGroup() as tasks,
            ):
                workers = [tasks.create_task(work()) for _ in range(self.in_flight)]
                tasks.create_task(land_regularly(workers))
        except ExceptionGroup as errors:
            # Later errors are mostly consequences of the first.
            error = errors.exceptions[0]
            if isinstance(error, RolloutFailedError):
                raise CompletionsError(
                    f"{faults[-1]}. Landed data is kept: rerun the same command to continue"
                ) from None
            raise error from None
        finally:
            if finished:
                land(finished)
        if faults:
            raise CompletionsError(
                f"{len(faults):,} rollouts failed; all others have landed. {faults[0]}"
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
        # A server may fill omitted settings from the model's generation config.
        body = orjson.dumps(
            {
                "model": self.model,
                "prompt": prompt,
                "max_tokens": settings.max_new_tokens,
                "temperature": settings.temperature,
                "top_p": settings.top_p,
                # Every version takes this as all tokens.
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
        n_strange, n_answered = 0, self.n_answered
        for tries in range(MOST_TRIES):
            try:
                return self.read(row, prompt, await self.post(client, body))
            except RetryableError as error:
                fault = error
            n_strange += isinstance(fault, StrangeResponseError)
            if n_strange >= limits.STRANGE_RESPONSES and self.n_answered == n_answered:
                raise ServerUnavailableError(
                    f"{self.address} gave {n_strange} responses that are not completions: "
                    f"{fault}; check that --server is an OpenAI-compatible server"
                )
            # Without a wait, all tries would be used up immediately.
            seconds = fault.seconds or FIRST_WAIT_SECONDS * 2**tries
            await asyncio.sleep(min(seconds, LONGEST_WAIT_SECONDS))
        raise ServerUnavailableError(
            f"{self.address} did not respond in {MOST_TRIES} tries ({fault})"
        )

    async def post(self, client: httpx2.AsyncClient, body: bytes) -> dict:
        """Post a request, return the response. Raises RetryableError for transient failures."""
        try:
            response = await client.post(f"{self.address}/completions", content=body)
        except httpx2.HTTPError as error:
            raise RetryableError(type(error).__name__) from None
        except connections.ResponseLimitError as error:
            raise StrangeResponseError(str(error)) from None
        if response.status_code in (408, 409, 429) or response.status_code >= 500:
            raise RetryableError(f"status {response.status_code}", seconds_of(response))
        if response.status_code != 200:
            raise refused(response)
        try:
            return read(response)
        except ValueError as error:
            raise StrangeResponseError(
                f"the response is not JSON ({error}): {connections.shown(response.content)}"
            ) from None

    def read(self, row: Wanted, prompt: list[int] | str, answer: dict) -> Sampled:
        """Extract the rollout from a response."""
        try:
            (choice,) = answer["choices"]
            text, reason = tokenizing.mended(choice["text"]), choice["finish_reason"]
            fed = token_ids(choice.get("prompt_token_ids")) or (
                prompt if isinstance(prompt, list) else None
            )
            ids = token_ids(choice.get("token_ids"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StrangeResponseError(
                f"the response is not a completion ({connections.shown(str(error))}): "
                f"{connections.shown(str(answer))}"
            ) from None
        if reason not in ("stop", "length"):
            raise RetryableError(f"the rollout has finish reason {reason!r}")
        if self.tokenizer and fed != prompt:
            raise RolloutFailedError("the server's prompt tokens differ from those that were sent")
        if self.tokenizer and fed is not None and ids is not None:
            text = tokenizing.continuation(self.tokenizer, fed, ids)
        return Sampled(row, text, fed, ids, reason)


def token_ids(value: object) -> list[int] | None:
    """Token ids as returned by a server; None if they are not valid."""
    if not isinstance(value, list):
        return None
    is_known = all(type(part) is int and 0 <= part < 2**31 for part in value)
    return value if is_known else None


def read(response: httpx2.Response) -> dict:
    """The JSON object in a response. Raises ValueError if it is not one."""
    answer = strict_json.read(strict_json.text_of(response.content))
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    return answer


def refused(response: httpx2.Response) -> CompletionsError | RolloutFailedError:
    """Explain why a server refused a request, without headers or keys."""
    said = response.content
    try:
        found = read(response)
        said = found.get("error", found).get("message").encode() or said
    except (ValueError, AttributeError):
        pass
    remedies = {
        400: "check --model, and that prefix plus --max-new-tokens fit the server's context",
        401: "check OPENAI_API_KEY",
        403: "check OPENAI_API_KEY",
        404: "check --model, and --server, which usually ends in /v1",
    }
    remedy = remedies.get(response.status_code, "check --server")
    if response.has_redirect_location:
        remedy = "a redirect, which is not followed: check --server"
    kind = RolloutFailedError if response.status_code in FAULTS_OF_A_REQUEST else CompletionsError
    return kind(
        f"the server returned status {response.status_code}: {connections.shown(said)} ({remedy})"
    )


def seconds_of(response: httpx2.Response) -> float | None:
    """Seconds that the server asks to wait; None if it gives no number of seconds."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None
