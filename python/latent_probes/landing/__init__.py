"""The landing file: all raw data, unchanged. The only package with DDL, and the only writer.

Rows are added and never rewritten, except for the state of a batch and the claims that prevent
asking twice. Everything else is a model over these tables: the warehouse can be deleted at any
time, this file must be kept.
"""

from latent_probes.landing.adoption import (
    AdoptedSet,
    adopt,
    adopted,
    adopted_manifest,
    adopted_set,
    made_here,
    refuse_adopted,
)
from latent_probes.landing.batches import (
    Batch,
    add_token_counts,
    disown,
    intend,
    known_ids,
    open_batches,
    refused,
    release,
    sending,
    submitted,
)
from latent_probes.landing.calibrations import (
    add_levels,
    calibration_documents,
    set_apart,
    stated_levels,
)
from latent_probes.landing.local_scores import add_scores, known_scores
from latent_probes.landing.marks import add_marks
from latent_probes.landing.opening import (
    LandingError,
    attach,
    connect,
    contents,
    contents_of,
    first,
    looked_at,
    one,
    only_if_it_succeeds,
    opened,
    prepare,
    transaction,
)
from latent_probes.landing.oracles import (
    add_asked,
    add_oracle_answers,
    answer_sources,
    answered_by,
    differing_answers,
    oracle_runs,
)
from latent_probes.landing.ratings import add_ratings, differing_ratings
from latent_probes.landing.resamples import (
    add_resamples,
    known_resamples,
    resample_settings,
    sampling_settings,
)
from latent_probes.landing.results import (
    MESSAGES_API,
    add_responses,
    results_are_foreign,
    stage_results,
    staged_counts,
)
from latent_probes.landing.rollouts import (
    Siblings,
    add_rollouts,
    add_sampled,
    known_siblings,
    sampled_tokens,
    sources_of,
)
from latent_probes.landing.tables import VERSION

__all__ = [
    "MESSAGES_API",
    "VERSION",
    "AdoptedSet",
    "Batch",
    "LandingError",
    "Siblings",
    "add_asked",
    "add_levels",
    "add_marks",
    "add_oracle_answers",
    "add_ratings",
    "add_resamples",
    "add_responses",
    "add_rollouts",
    "add_sampled",
    "add_scores",
    "add_token_counts",
    "adopt",
    "adopted",
    "adopted_manifest",
    "adopted_set",
    "answer_sources",
    "answered_by",
    "attach",
    "calibration_documents",
    "connect",
    "contents",
    "contents_of",
    "differing_answers",
    "differing_ratings",
    "disown",
    "first",
    "intend",
    "known_ids",
    "known_resamples",
    "known_scores",
    "known_siblings",
    "looked_at",
    "made_here",
    "one",
    "only_if_it_succeeds",
    "open_batches",
    "opened",
    "oracle_runs",
    "prepare",
    "refuse_adopted",
    "refused",
    "release",
    "resample_settings",
    "results_are_foreign",
    "sampled_tokens",
    "sampling_settings",
    "sending",
    "set_apart",
    "sources_of",
    "stage_results",
    "staged_counts",
    "stated_levels",
    "submitted",
    "transaction",
]
