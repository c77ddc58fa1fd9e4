"""The language model of a command: in this process, on a server, or as copies on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from latent_probes.sampling.batched_model import BatchedModel
    from latent_probes.sampling.rollouts import Model


def refuse_contradiction(
    on: str | None, address: str | None, device: str | None, server: str | None = None
) -> None:
    """Raise BadParameter for options of different places."""
    if on is None and address is not None:
        raise typer.BadParameter("--address needs --on ray")
    if on is not None and device is not None:
        raise typer.BadParameter(
            "--device does not apply with --on: a copy has the GPU or the CPUs that it is given"
        )
    if on is not None and server is not None:
        raise typer.BadParameter("--server and --on are two places: give one of them")


@contextmanager
def language_model(
    on: str | None,
    address: str | None,
    model: str,
    revision: str | None,
    dtype: str,
    device: str | None,
    batch_size: int,
) -> Iterator[BatchedModel]:
    """The model on an engine of a cluster, if given, or in this process."""
    if on is None:
        from latent_probes.sampling.language_model import LanguageModel

        yield LanguageModel(model, revision, dtype, device, batch_size)
        return
    from latent_probes.cluster import models

    with models.on_ray(address, model, revision, dtype, batch_size) as source:
        yield source


@contextmanager
def source_model(
    on: str | None,
    address: str | None,
    server: str | None,
    model: str,
    revision: str | None,
    dtype: str,
    device: str | None,
    batch_size: int,
    tokenizer: str | None,
    in_flight: int,
) -> Iterator[Model]:
    """The model on a server, if given, or as ``language_model`` does.

    ``tokenizer`` and ``in_flight`` (concurrent requests) apply to a server.
    """
    if server is not None:
        from latent_probes.sampling.completions import ServedModel

        yield ServedModel(server, model, revision, tokenizer, in_flight)
        return
    with language_model(on, address, model, revision, dtype, device, batch_size) as source:
        yield source
