"""Report on the requests that would be sent and their expected cost."""

from __future__ import annotations

import duckdb

from latent_probes import landing, warehouse
from latent_probes.common import sql, terminal
from latent_probes.common.home import Home
from latent_probes.providers import lexical, recorded
from latent_probes.reports.tables import print_table

# Models that no paid provider has, and who answers for them.
NOT_SERVED = {
    lexical.MODEL: "it is the offline baseline, which is free (--provider lexical)",
    recorded.BUNDLED_MODEL: "no service has it, and --provider recorded replays what was recorded",
}


# What --max-cost must be, rounded up to cents, for all that is planned and can be asked there: it
# limits what is spent and reserved, too.
ENOUGH = f"""
    with

    most as (

        select provider, sum(max_usd) as usd, count(max_usd) = count(*) as is_known
        from planned_prices
        join providers using (provider)
        join planned_requests using (round_number, stage, model)
        where
            price_group != 'free'
            and n_pending + n_downstream > 0
            and not list_contains($unserved, model)
        group by provider

    ),

    committed as (

        select
            coalesce(sum(spent_usd + reserved_usd), 0) as usd,
            count(spent_usd + reserved_usd) = count(*) as is_known,
        from committed_spend

    )

    select
        provider,
        {terminal.dollars("ceil(100 * (most.usd + committed.usd)) / 100")},
    from most
    cross join committed
    where most.is_known and committed.is_known
    order by provider
"""


def show(home: Home) -> None:
    """Show each round's outstanding requests and what they would cost at each paid provider."""
    with warehouse.opened(home) as connection:
        # What is committed is counted in the landing file.
        landing.attach(connection, home.landing)
        paid = [
            name
            for (name,) in connection.execute(
                "select provider from providers where price_group != 'free' order by provider"
            ).fetchall()
        ]
        usd = {name: sql.identifier(name) for name in paid}
        is_unserved = f"model in ({', '.join(map(sql.literal, NOT_SERVED))})"
        prices = ", ".join(
            f"any_value(usd) filter (where provider = {sql.literal(name)}) as {column}"
            for name, column in usd.items()
        )
        connection.execute(
            f"""
            create temp table planned as
            from planned_requests
            join (
                select
                    round_number, stage, model, any_value(token_basis) as token_basis, {prices}
                from planned_prices
                group by round_number, stage, model
            ) using (round_number, stage, model)
            where n_pending + n_downstream > 0
            """
        )
        in_dollars = (
            f"if({is_unserved}, 'not served', {terminal.dollars(column)}) as {column}"
            for column in usd.values()
        )
        print_table(
            connection,
            "Requests to send",
            f"""
            select
                round_number as round, round_state as state, stage, model,
                n_pending as "pending now", n_downstream as "later (about)",
                nullif(n_controls, 0) as "for controls", token_basis as tokens,
                {", ".join(in_dollars)}
            from planned
            order by round_number, stage_order, model
            """,
            optional=("state", "tokens", "for controls"),
            table="planned_requests and planned_prices",
        )
        bases = connection.execute(
            """
            select token_basis, string_agg(stage, ', ' order by stage_order)
            from (select distinct token_basis, stage, stage_order from planned)
            group by token_basis
            order by token_basis
            """
        ).fetchall()
        totals = (
            terminal.dollars(
                f"if(count({column}) = count(*), coalesce(sum(if({is_unserved}, 0, {column})), 0), "
                "null)"
            )
            for column in usd.values()
        )
        limits = connection.execute(ENOUGH, {"unserved": list(NOT_SERVED)}).fetchall()
        *sums, unpriced, unserved = connection.execute(
            f"""
            select
                {", ".join(totals)},
                list(distinct model order by model)
                    filter (where {" or ".join(f"{column} is null" for column in usd.values())}),
                list(distinct model order by model) filter (where {is_unserved})
            from planned
            """
        ).fetchall()[0]
        say_what_is_missing(connection)
    for model in unserved or []:
        terminal.say(f"{model} is not in the cost below: {NOT_SERVED[model]}.")
    for model in unpriced or []:
        terminal.say(f"{model} has no known price: add a line to seeds/model_prices.csv.")
    costs = ", ".join(f"{total} at {name}" for total, name in zip(sums, paid, strict=True))
    others = f", without {' and '.join(unserved)}" if unserved else ""
    # Without a price, no limit can be named.
    how = "" if limits else " (--max-cost assumes maximum answer length)"
    terminal.say(f"Expected cost{others}: {costs}{how}.")
    if limits:
        enough = ", ".join(f"{usd} at {name}" for name, usd in limits)
        terminal.say(
            f"--max-cost that would suffice (about): {enough}. It assumes the longest answers, and "
            "includes what is spent and reserved."
        )
    if bases:
        counts = "; ".join(f"{basis} for {stages}" for basis, stages in bases)
        terminal.say(f"Token counts: {counts}.")


def say_what_is_missing(connection: duckdb.DuckDBPyConnection) -> None:
    """Name the rounds for which there are fewer documents than requested, and why.

    In an adopted home, state that there are no others.
    """
    if connection.execute("from round_settings where is_adopted limit 1").fetchall():
        terminal.say(
            "The rounds are those of the adopted data set, and seeds/rounds.csv and "
            "seeds/round_controls.csv are not used here: to make rounds, set LATENT_PROBES_HOME to "
            "another directory."
        )
        return
    landed = ", ".join(
        model
        for (model,) in connection.execute(
            "select distinct source_model from prefixes order by 1"
        ).fetchall()
    )
    for number, state, n_documents, n_wanted, model, n_prefixes, n_eligible in connection.execute(
        """
        select
            status.round_number, status.state, status.n_documents, status.n_documents_wanted,
            status.source_model, count(prefixes.doc_id),
            count(*) filter (where prefixes.exclusion_reason is null)
        from round_status as status
        left join prefixes using (source_model)
        where status.state != 'withdrawn' and status.n_documents < status.n_documents_wanted
        group by all
        order by status.round_number
        """
    ).fetchall():
        if state == "started":
            terminal.say(
                f"Round {number} started with {n_documents:,} of {n_wanted:,} documents and keeps "
                "these: for more, add another round."
            )
        elif n_prefixes == 0:
            terminal.say(
                f"Round {number} has no documents: no rollouts of {model} have landed. Land some, "
                f"or correct source_model in seeds/rounds.csv (landed: {landed or 'none'})."
            )
        else:
            terminal.say(
                f"Round {number} has only {n_documents:,} of {n_wanted:,} documents, and would "
                f"keep these once it starts: {model} has {n_prefixes:,} prefixes, {n_eligible:,} "
                "of them eligible, some used by other rounds. See table rollout_quality for "
                "exclusion reasons, or land more rollouts."
            )
