"""Report on the requests that would be sent and their expected cost."""

from __future__ import annotations

import duckdb

from latent_probes import warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_table


def show(home: Home) -> None:
    """Show each round's outstanding requests and their expected cost, batched and unbatched."""
    prices = """
        select
            round_number, stage, model, any_value(token_basis) as token_basis,
            any_value(usd) filter (where provider = 'anthropic-batches') as in_batches,
            any_value(usd) filter (where provider = 'anthropic-messages') as by_messages
        from planned_prices group by round_number, stage, model
    """
    with warehouse.opened(home) as connection:
        connection.execute(
            f"""
            create temp table planned as
            from planned_requests join ({prices}) using (round_number, stage, model)
            where n_pending + n_downstream > 0
            """
        )
        print_table(
            connection,
            "Requests to send",
            f"""
            select
                round_number as round, round_state as state, stage, model,
                n_pending as "pending now", n_downstream as "later (about)", token_basis as tokens,
                {terminal.dollars("in_batches")} as "in batches",
                {terminal.dollars("by_messages")} as "by messages"
            from planned
            order by round_number, stage_order, model
            """,
        )
        in_batches, by_messages, unpriced = connection.execute(
            f"""
            select
                {terminal.dollars("coalesce(sum(in_batches), 0)")},
                {terminal.dollars("coalesce(sum(by_messages), 0)")},
                list(distinct model order by model) filter (where in_batches is null)
            from planned
            """
        ).fetchall()[0]
        say_what_is_missing(connection)
    terminal.say(
        f"Expected cost: {in_batches} in batches, {by_messages} as single messages "
        "(--max-cost assumes maximum answer length)."
    )
    for model in unpriced or []:
        terminal.say(f"{model} has no known price: add a line to seeds/model_prices.csv.")


def say_what_is_missing(connection: duckdb.DuckDBPyConnection) -> None:
    """Name the rounds for which there are fewer documents than requested."""
    for row in connection.execute(
        """
        select
            status.round_number, status.n_documents, status.n_documents_wanted,
            status.source_model, count(prefixes.doc_id),
            count(*) filter (where prefixes.exclusion_reason is null)
        from round_status as status
        left join prefixes using (source_model)
        where status.state = 'proposed' and status.n_documents < status.n_documents_wanted
        group by all
        order by status.round_number
        """
    ).fetchall():
        terminal.say(
            "Round {} has only {:,} of {:,} documents: {} has {:,} prefixes, {:,} of them "
            "eligible, some used by other rounds. See table rollout_quality for exclusion "
            "reasons, or land more rollouts.".format(*row)
        )
