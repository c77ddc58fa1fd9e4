"""Copies of a language model on a cluster, which share its batches."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latent_probes.cluster import engines
from latent_probes.cluster.faults import ClusterError
from latent_probes.cluster.parts import refuse_other_code
from latent_probes.common import terminal
from latent_probes.sampling import tokenizing
from latent_probes.sampling.batched_model import BatchedModel, Piece, Result
from latent_probes.sampling.language_model import LanguageModel, commit
from latent_probes.sampling.rollouts import differences
from latent_probes.warehouse import stamps

# A copy need not wait for its next piece while its last result travels.
PIECES_A_COPY = 2
# Pieces in memory, for each copy: most wait for the result of one before them.
WINDOW = 32
# How often a copy that was lost is started again in its place.
RESTARTS = 3
# A piece is not tried again after so many copies were lost while they did it.
LOSSES = 3
SECONDS_UNTIL_TOLD = 60.0
# Loads the model on a device.
Load = Callable[[str | None], LanguageModel]


@dataclass(frozen=True)
class Described:
    """The attributes of a loaded model that need no weights, and the address of its machine."""

    machine: str
    settings: dict[str, Any]
    environment: dict[str, Any]
    longest: int | None
    n_layers: int
    hidden_size: int
    n_bytes: int

    @property
    def must_agree(self) -> dict[str, Any]:
        """What is the same in all copies: settings, and versions of packages."""
        return self.settings | self.environment["versions"]


class Copy:
    """A process of the cluster with the model.

    ``device`` is where ``load`` loads it; ``code`` is the version of latent-probes that is needed.
    """

    def __init__(self, load: Load, device: str | None, code: str):
        self.load, self.device, self.code = load, device, code
        self.model: LanguageModel | None = None

    def described(self) -> Described:
        """Load the model, and describe it. Raises ClusterError, which names the machine."""
        import ray

        machine = ray.util.get_node_ip_address()
        try:
            refuse_other_code(self.code)
            self.model = self.load(self.device)
        except Exception as error:
            raise ClusterError(f"{machine}: {error}") from error
        return Described(
            machine,
            self.model.settings,
            self.model.environment,
            self.model.longest,
            self.model.n_layers,
            self.model.hidden_size,
            self.model.n_bytes,
        )

    def do(self, work: Callable[[Any, Any], Any], piece: Any) -> Any:
        """What ``work`` makes of a piece."""
        return work(self.model, piece)


@dataclass(eq=False)
class Job:
    """A piece, the number of copies that were lost doing it, and its result.

    Nobody waits for it if the map that it belongs to was left.
    """

    piece: Any
    n_losses: int = 0
    is_wanted: bool = True
    is_done: bool = False
    result: Any = None


@dataclass(eq=False)
class Place:
    """Where a copy is, as options of Ray; ``n_lost`` counts those that were there."""

    options: dict[str, Any]
    n_lost: int = 0


@dataclass(eq=False)
class Actor:
    """A copy as Ray knows it; ``jobs`` are those that it has, by the reference of the result."""

    handle: Any
    place: Place
    jobs: dict[Any, Job] = field(default_factory=dict)


class ModelOnCluster(BatchedModel):
    """A language model whose copies share its batches: one a GPU or, without any, one a machine.

    ``load`` loads it on a device; ``tokenizer_version`` is that of ``tokenizer``, which all copies
    must have. The pieces of a copy that is lost are given to others, and another is started in its
    place. Raises ClusterError where none is left.
    """

    def __init__(
        self,
        ray: Any,
        load: Load,
        name: str,
        tokenizer: Any,
        tokenizer_version: str,
        batch_size: int,
    ):
        self.ray, self.load = ray, load
        self.name, self.tokenizer, self.batch_size = name, tokenizer, batch_size
        self.tokenizer_version = tokenizer_version
        self.described: Described | None = None
        self.loading: dict[Any, Actor] = {}
        self.ready: list[Actor] = []
        places = [Place(options) for options in places_on(ray)]
        try:
            for place in places:
                self.start(place)
            while not self.ready:
                self.wait()
        except BaseException:
            self.stop()
            raise

    def start(self, place: Place) -> None:
        """Start a copy in a place."""
        # Not restarted by Ray, which would have calls wait for a place that is free.
        copy = self.ray.remote(**place.options)(Copy)
        device = "cuda" if "num_gpus" in place.options else "cpu"
        actor = Actor(copy.remote(self.load, device, stamps.code_hash()), place)
        self.loading[actor.handle.described.remote()] = actor
        self.n_copies = len(self.ready) + len(self.loading)

    def map(
        self, work: Callable[[Any, Piece], Result], pieces: Iterable[Piece]
    ) -> Iterator[tuple[Piece, Result]]:
        """Each piece with the result of ``work``, done by any copy; in the order of pieces."""
        left = map(Job, pieces)
        # In order, with those that are done but not yet yielded; and those that no copy has.
        jobs: deque[Job] = deque()
        todo: deque[Job] = deque()
        is_ended = False
        try:
            while jobs or not is_ended:
                while (actor := self.free()) and (todo or len(jobs) < WINDOW * self.n_copies):
                    if not todo:
                        todo.extend(itertools.islice(left, 1))
                        jobs.extend(todo)
                    if not todo:
                        is_ended = True
                        break
                    job = todo.popleft()
                    actor.jobs[actor.handle.do.remote(work, job.piece)] = job
                if jobs and jobs[0].is_done:
                    job = jobs.popleft()
                    yield job.piece, job.result
                elif jobs or not is_ended:
                    todo += self.wait()
        finally:
            for job in jobs:
                job.is_wanted = False

    def free(self) -> Actor | None:
        """The copy with the fewest pieces, if it has room for another."""
        actor = min(self.ready, key=lambda actor: len(actor.jobs), default=None)
        return actor if actor and len(actor.jobs) < PIECES_A_COPY else None

    def wait(self) -> list[Job]:
        """Wait until a copy has done a piece or has loaded; returns the jobs of one that was lost.

        Raises what is wrong with a piece.
        """
        doing = {reference: actor for actor in self.ready for reference in actor.jobs}
        actors = self.loading | doing
        if not actors:
            raise ClusterError("no copy of the model is left: rerun to continue")
        seconds = None if self.ready else SECONDS_UNTIL_TOLD
        ended, _ = self.ray.wait(list(actors), num_returns=1, timeout=seconds)
        if not ended:
            terminal.say(
                "no copy of the model is ready: they are loading, or wait for a GPU or a machine "
                "that is free"
            )
            ended, _ = self.ray.wait(list(actors), num_returns=1)
        (reference,) = ended
        actor = actors[reference]
        is_loading = reference in self.loading
        exceptions = self.ray.exceptions
        try:
            result = self.ray.get(reference)
        except exceptions.RayTaskError as error:
            return self.failed(actor, actor.jobs.pop(reference, None), error.cause)
        except exceptions.RayError as error:
            is_gone = isinstance(error, gone(exceptions))
            if is_gone and not getattr(error, "actor_init_failed", False):
                return self.lost(actor, error)
            return self.failed(actor, actor.jobs.pop(reference, None), error)
        if is_loading:
            self.take(actor, result)
            del self.loading[reference]
        else:
            job = actor.jobs.pop(reference)
            job.result, job.is_done = result, True
        return []

    def take(self, actor: Actor, found: Described) -> None:
        """A copy has loaded the model. Raises ClusterError if it is not that of the others."""
        theirs = found.settings["tokenizer"]
        if theirs != self.tokenizer_version:
            raise ClusterError(
                f"{found.machine} has another tokenizer than this machine ({theirs}, not "
                f"{self.tokenizer_version}): give all machines the same files"
            )
        if self.described is None:
            self.described = found
            # Of a run with copies on different GPUs, the environment is that of the first.
            self.settings, self.environment = found.settings, found.environment
            self.longest, self.n_layers = found.longest, found.n_layers
            self.hidden_size, self.n_bytes = found.hidden_size, found.n_bytes
        elif differing := differences(self.described.must_agree, found.must_agree):
            raise ClusterError(
                f"{self.described.machine} and {found.machine} have loaded different models or use "
                f"other packages ({differing}): give all machines the same"
            )
        self.ready.append(actor)

    def failed(self, actor: Actor, job: Job | None, error: Exception) -> list[Job]:
        """Raise what is wrong with a job; without one, go on without a copy that cannot be loaded.

        Raises ClusterError if there is no other copy, and where Ray itself failed.
        """
        is_of_ray = isinstance(error, self.ray.exceptions.RayError)
        if job is not None:
            if not job.is_wanted:
                return []
            if not is_of_ray:
                raise error
            raise ClusterError(
                f"Ray could not do its work: {in_a_line(error)}; finished work is kept: rerun to "
                "continue"
            ) from error
        self.forget(actor)
        reason = in_a_line(error)
        if not (self.ready or self.loading):
            raise ClusterError(
                f"no copy of the model can be loaded: {reason}; every machine needs latent-probes "
                "with the extras lm and cluster"
            ) from error
        terminal.say(f"warning: a copy of the model cannot be loaded, and is left out: {reason}")
        return []

    def lost(self, actor: Actor, error: Exception) -> list[Job]:
        """Start a copy in the place of one that was lost; returns the jobs that it had.

        Raises ClusterError if none is left, or if too many were lost while they did its first job.
        """
        had = list(actor.jobs.values())
        # It does them in this order.
        for job in had[:1]:
            job.n_losses += 1
        jobs = [job for job in had if job.is_wanted]
        self.forget(actor)
        actor.place.n_lost += 1
        if actor.place.n_lost <= RESTARTS:
            self.start(actor.place)
        reason = in_a_line(error)
        if not (self.ready or self.loading) or any(job.n_losses >= LOSSES for job in jobs):
            raise ClusterError(
                "copies of the model were lost, perhaps because memory ran out: rerun to continue, "
                "with a smaller --batch-size if it happens again; finished work is kept. Ray says: "
                + reason
            ) from error
        terminal.say(
            f"warning: a copy of the model was lost, {len(self.ready)} are left and "
            f"{len(self.loading)} are loading or wait for a place: {reason}"
        )
        return jobs

    def forget(self, actor: Actor) -> None:
        """End a copy, and remove all that is known of it."""
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(actor.handle)
        self.loading = {one: other for one, other in self.loading.items() if other is not actor}
        self.ready = [other for other in self.ready if other is not actor]
        self.n_copies = len(self.ready) + len(self.loading)

    def stop(self) -> None:
        """End all copies."""
        for actor in [*self.ready, *self.loading.values()]:
            self.forget(actor)


def in_a_line(error: Exception) -> str:
    """The text of an error, which of Ray has many lines."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 500 else f"{text[:200]} … {text[-300:]}"


def gone(exceptions: Any) -> tuple[type[Exception], ...]:
    """Errors of Ray after which what a copy did can be done by another."""
    return (
        exceptions.RayActorError,
        exceptions.NodeDiedError,
        exceptions.WorkerCrashedError,
        exceptions.OutOfMemoryError,
        exceptions.ObjectLostError,
    )


def places_on(ray: Any) -> list[dict[str, Any]]:
    """Where copies are, as options of Ray: on each GPU or, without any, on each machine.

    A copy on a machine has all its CPUs. Raises ClusterError for a cluster without any.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as At

    machines = [node for node in ray.nodes() if node["Alive"]]
    n_gpus = sum(int(node["Resources"].get("GPU", 0)) for node in machines)
    if n_gpus:
        # No CPU: those can be taken where a GPU is free.
        return [{"num_gpus": 1, "num_cpus": 0}] * n_gpus
    cpus = [int(node["Resources"].get("CPU", 0)) for node in machines]
    if not any(cpus):
        raise ClusterError("the cluster has no GPU and no CPU: add a machine to it")
    return [
        {"num_cpus": n_cpus, "scheduling_strategy": At(node_id=node["NodeID"], soft=False)}
        for node, n_cpus in zip(machines, cpus, strict=True)
        if n_cpus
    ]


@contextmanager
def on_ray(
    address: str | None, model: str, revision: str | None, dtype: str, batch_size: int
) -> Iterator[ModelOnCluster]:
    """A model with copies on a Ray cluster, at an address or started here, as for a build.

    ``model``, a name on the Hub or a path, is the same on all machines. Raises TokenizerError, and
    as ModelOnCluster and ``engines.connected`` do.
    """
    tokenizing.refuse_missing(model)
    name = tokenizing.short_name(model)
    if Path(model).exists():
        model = str(Path(model).absolute())
    else:
        # So that all load the same.
        revision = commit(model, revision)
    tokenizer = tokenizing.load(model, revision)
    version = tokenizing.version(tokenizer, model, revision)
    load = functools.partial(LanguageModel, model, revision, dtype, batch_size=batch_size)
    with engines.connected(address) as ray:
        source = ModelOnCluster(ray, load, name, tokenizer, version, batch_size)
        try:
            yield source
        finally:
            source.stop()
