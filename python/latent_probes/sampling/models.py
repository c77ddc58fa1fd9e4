"""Source models, in this process or on a server."""

from __future__ import annotations

from latent_probes.sampling.rollouts import Model


def source_model(
    model: str,
    server: str | None,
    revision: str | None,
    dtype: str,
    device: str | None,
    batch_size: int,
    tokenizer: str | None,
    in_flight: int,
) -> Model:
    """The source model ``model``, on ``server`` if given, otherwise in this process.

    ``revision`` is a branch, tag or commit on the Hub. ``dtype``, ``device`` and ``batch_size``
    (rollouts at a time) apply in this process; ``tokenizer`` and ``in_flight`` (concurrent
    requests) apply to a server. Raises SamplingError if the model cannot be loaded or reached.
    """
    if server is None:
        from latent_probes.sampling.language_model import LanguageModel

        return LanguageModel(model, revision, dtype, device, batch_size)
    from latent_probes.sampling.completions import ServedModel

    return ServedModel(server, model, revision, tokenizer, in_flight)
