"""Report on the progress of each round and the spend so far."""

from __future__ import annotations

import duckdb

from latent_probes import warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.reports.batches import list_open_batches
from latent_probes.reports.plan import say_what_is_missing
from latent_probes.reports.tables import print_table


def show(home: Home) -> None:
    """Show the progress of each round and the spend so far."""
    with warehouse.opened(home) as connection:
        print_table(
            connection,
            "Rollouts",
            """
            select
                source_model as "source model", outcome, reason,
                n_rollouts as rollouts, n_prefixes as prefixes
            from rollout_quality
            order by source_model, outcome, n_rollouts desc, reason
            """,
        )
        print_table(
            connection,
            "Rounds",
            """
            select
                round_number as round, state, source_model as "source model",
                n_documents || ' of ' || n_documents_wanted as documents,
                n_slots as slots, n_pending as pending,
                n_probes as probes, n_rejected as rejected,
                n_scored as scored, n_awaiting_scores as "awaiting scores"
            from round_status order by round_number
            """,
            optional=("slots", "rejected"),
            table="round_status",
        )
        say_what_is_missing(connection)
        controls(connection)
        print_table(
            connection,
            "Requests",
            f"""
            select
                round_number as round, stage, model, provider, n_attempts as attempts,
                n_open as open, n_succeeded as succeeded, n_failed as failed,
                n_unusable as unusable, {terminal.dollars("usd")} as spent
            from spend order by round_number, stage_order, model, provider
            """,
            optional=("attempts", "succeeded"),
            table="spend",
        )
        unusable = """
            select round_number as round, stage, model, n_answers as answers, meaning
            from unusable_answers order by round_number, stage_order, model, n_answers desc
        """
        if connection.execute(unusable).fetchall():
            print_table(connection, "Unusable answers", unusable)
        print_table(connection, "Spend", spend_per_probe())
        say_what_is_unknown(connection)
    irregularities(home)
    list_open_batches(home)


def irregularities(home: Home) -> None:
    """Show what went wrong with requests and answers, if anything did."""
    query = "select kind, n, meaning from irregularities order by kind"
    with warehouse.opened(home) as connection:
        if connection.execute(query).fetchall():
            print_table(connection, "Irregularities", query)


def controls(connection: duckdb.DuckDBPyConnection) -> None:
    """Show the progress of the controls, if any round has some."""
    query = """
        select
            round_number as round, arm, answerer_model as answerer, share,
            n_eligible as eligible, n_asked as asked, n_scored as scored
        from arm_coverage
        where arm != 'complement'
        order by round_number, arm
    """
    if connection.execute(query).fetchall():
        print_table(connection, "Controls", query)


def say_what_is_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    """Say why the cost of a model is unknown."""
    for model, n_without_usage, has_price in connection.execute(
        """
        select model, sum(n_without_usage)::bigint, bool_and(priced_on is not null)
        from spend
        where usd is null
        group by model
        order by model
        """
    ).fetchall():
        if not has_price:
            terminal.say(f"{model} has no known price: add a line to seeds/model_prices.csv.")
        if n_without_usage:
            terminal.say(
                f"{n_without_usage:,} answers of {model} state no usage, so their cost is unknown; "
                "--max-cost counts each at its maximum."
            )


def spend_per_probe() -> str:
    """Query for the cost of each round, stage and model, in total and per published probe."""
    return f"""
        select
            coalesce(round_number::varchar, 'all') as round, stage, model, n_probes as probes,
            {terminal.dollars("usd")} as spent,
            case when n_probes > 0 then {terminal.dollars("usd_per_probe", 5)} end as "per probe"
        from spend_per_probe order by round_number nulls last, stage_order, model
    """
