"""Record responses, so that the provider `recorded` can replay them."""

from __future__ import annotations

from pathlib import Path

from latent_probes import landing
from latent_probes.common import sql, terminal
from latent_probes.common.files import atomic_write
from latent_probes.common.home import Home


def record(home: Home, file: Path) -> None:
    """Write all responses that landed to a file of JSON lines, in the order of asking.

    Its columns are described in ``providers.recorded``. Prompts are not in it. Raises OSError if
    the file cannot be written.
    """
    with landing.looked_at(home.landing) as connection, atomic_write(file) as partial:
        connection.execute(
            f"""
            copy (
                select
                    requests.request_id,
                    coalesce(requests.shown_hash, requests.input_hash) as input_hash,
                    -- Of a response that was itself replayed, as it was recorded.
                    coalesce(
                        responses.body ->> '$.result.prompt_hash', requests.prompt_hash
                    ) as prompt_hash,
                    requests.stage,
                    requests.model,
                    responses.model as response_model,
                    coalesce(
                        try_cast(responses.body ->> '$.result.date' as date),
                        responses.landed_at::date
                    ) as date,
                    responses.text,
                    responses.stop_reason,
                    case
                        when responses.usage is not null
                            then {{
                                'input_tokens': responses.usage.input_tokens,
                                'output_tokens': responses.usage.output_tokens
                            }}
                    end as usage,
                from responses
                join requests using (request_id, attempt)
                where responses.outcome = 'succeeded'
                order by
                    list_position(['generator', 'answerer', 'judge'], requests.stage),
                    requests.round_number,
                    requests.request_id,
                    requests.attempt
            ) to {sql.literal(partial)} (format json)
            """
        )
        ((n_responses,),) = connection.execute(
            "select count(*) from responses where outcome = 'succeeded'"
        ).fetchall()
    terminal.say(
        f"recorded {n_responses:,} responses in {file}; replay them with "
        f"`latent-probes run --provider recorded --recording {file}`"
    )
