"""What the commands show of the warehouse: tables and bars, every figure a query."""

from __future__ import annotations

import os

from rich import box
from rich.table import Table
from rich.text import Text

from latent_probes import batches, terminal, warehouse
from latent_probes.home import Home


def show(connection, title: str, query: str) -> None:
    """Print the result of a query as a table; numbers and dollars to the right."""
    rows = connection.execute(query).fetchall()
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for (name, *_), *values in zip(connection.description, *rows, strict=True):
        is_number = all(
            isinstance(value, int | float | None) or str(value).startswith("$") for value in values
        )
        table.add_column(name, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row))
    if not rows:
        table.caption = "none"
    terminal.console.print(table)


def shown(value) -> str:
    """A value as text; what may come from outside without control characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return terminal.printable(str(value))


def plan(home: Home) -> None:
    """What would be asked in each round, and its expected price in batches and one by one."""
    prices = """
        select
            round_number, stage, model, any_value(tokens_are) as tokens_are,
            any_value(usd) filter (where provider = 'anthropic-batches') as in_batches,
            any_value(usd) filter (where provider = 'anthropic-messages') as by_messages
        from planned_prices group by round_number, stage, model
    """
    with warehouse.opened(home) as connection:
        connection.execute(
            f"""
            create temp table planned as
            from planned_requests join ({prices}) using (round_number, stage, model)
            where n_pending + n_coming > 0
            """
        )
        show(
            connection,
            "Requests to be asked",
            f"""
            select
                round_number as round, round_state as state, stage, model,
                n_pending as "pending now", n_coming as "then about", tokens_are as tokens,
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
        f"Expected to cost {in_batches} in batches, {by_messages} by single messages; "
        "--max-cost reckons with the longest answers instead."
    )
    for model in unpriced or []:
        terminal.say(f"No price is known for {model}: add a line to seeds/model_prices.csv.")


def say_what_is_missing(connection) -> None:
    """Name the rounds that find fewer documents than they ask for."""
    for row in connection.execute(
        """
        select
            status.round_number, status.n_documents, status.n_documents_wanted,
            status.source_model, count(prefixes.doc_id),
            count(*) filter (where prefixes.passed_over_reason is null)
        from round_status as status
        left join prefixes using (source_model)
        where status.state = 'proposed' and status.n_documents < status.n_documents_wanted
        group by all
        order by status.round_number
        """
    ).fetchall():
        terminal.say(
            "Round {} finds {:,} of {:,} documents: {} has {:,} prefixes, of which {:,} are fit, "
            "and other rounds take theirs. The table rollout_quality says what is not fit, and "
            "why; land more rollouts.".format(*row)
        )


def contrast(home: Home) -> None:
    """How often each method finds the atom more likely than the wrong answer."""
    with warehouse.opened(home) as connection:
        show(
            connection,
            "Contrast: log P(atom) against log P(wrong answer), lenses pooled over their lengths",
            """
            select
                method, scope, target, n_probes as probes, accuracy, accuracy_low as low,
                accuracy_high as high, auc, margin_mean as "mean margin",
                text_only_accuracy as "best text-only",
            from contrast
            where
                measure = 'total' and target != 'all' and typicality = 'all'
                and lens_length in ('none', 'pooled')
            order by method, scope, target
            """,
        )


def status(home: Home) -> None:
    """How far each round is, and what was spent."""
    with warehouse.opened(home) as connection:
        show(
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
        show(
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
        )
        say_what_is_missing(connection)
        controls(connection)
        show(
            connection,
            "Requests",
            f"""
            select
                round_number as round, stage, model, provider, n_attempts as attempts,
                n_open as open, n_succeeded as succeeded, n_failed as failed,
                n_unusable as unusable, {terminal.dollars("usd")} as spent
            from spend order by round_number, stage_order, model, provider
            """,
        )
        show(connection, "Spent", spend_per_probe())
        irregularities = "select kind, n, meaning from irregularities order by kind"
        if connection.execute(irregularities).fetchall():
            show(connection, "Irregularities", irregularities)
    still_on_their_way(home)


def controls(connection) -> None:
    """How far the controls are, if any round has some."""
    query = """
        select
            round_number as round, arm, answerer_model as answerer, share,
            n_eligible as eligible, n_asked as asked, n_scored as scored
        from arm_coverage
        where arm != 'complement'
        order by round_number, arm
    """
    if connection.execute(query).fetchall():
        show(connection, "Controls", query)


def leaderboard(home: Home) -> None:
    """The methods that were evaluated, best first, and what the real state adds to each."""
    with warehouse.opened(home) as connection:
        show(
            connection,
            "Methods",
            """
            select
                place, oracle as method, condition, n_probes as probes, n_missing as missing,
                n_unscored as unscored, hard_score as "HARD", hard_lift as lift,
                hard_lift_low as "from", hard_lift_high as "to", easy_score as "EASY"
            from oracle_leaderboard order by place
            """,
        )
        show(
            connection,
            "What the real state adds, HARD probes",
            """
            select
                oracle as method, condition as "compared with", n_probes as probes, difference,
                difference_low as "from", difference_high as "to"
            from oracle_state_effects where band = 'hard' order by oracle, condition
            """,
        )


def calibration(home: Home) -> None:
    """What came of each level, and which one is recommended."""
    with warehouse.opened(home) as connection:
        measures = {
            "finalize rate": "finalized",
            "mean best score": "mean best score",
            "spread of best score": "spread",
            "share hard": "HARD",
            "share easy": "EASY",
            "dollars of a document": "dollars a document",
        }
        columns = ", ".join(
            f"any_value(shown) filter (where measure = '{measure}') as \"{name}\""
            for measure, name in measures.items()
        )
        show(
            connection,
            "Levels",
            f"""
            with shown as (
                select
                    calibration_level as level, measure,
                    format('{{:.3f}}', estimate)
                    || coalesce(
                        format(' ({{:.3f}} to {{:.3f}})', estimate_low, estimate_high), ''
                    ) as shown
                from calibration_sweep where scope = 'all'
            )
            select level, {columns} from shown group by level order by level
            """,
        )
        for level, mean, aim in connection.execute(
            "select calibration_level, score_max_mean, aimed_score_max_mean from recommended_level"
        ).fetchall():
            terminal.say(
                f"Recommended: level {level}, whose mean best score {mean:.3f} is nearest to {aim}."
            )


def spend_per_probe() -> str:
    """The query for what each stage and round cost, in all and for each published probe."""
    return f"""
        select
            coalesce(round_number::varchar, 'all') as round, stage, n_probes as probes,
            {terminal.dollars("usd")} as spent,
            case when n_probes > 0 then {terminal.dollars("usd_per_probe", 5)} end as "per probe"
        from spend_per_probe order by round_number nulls last, stage_order
    """


def still_on_their_way(home: Home) -> bool:
    """Name the batches that are open; whether there are any."""
    open_batches = batches.open_at(home)
    for batch in open_batches:
        terminal.say(
            f"still on its way: {batch.n_requests:,} requests at {batch.provider} "
            f"({batch.provider_batch_id or 'not known to have been taken'})"
        )
    return bool(open_batches)


def interrupted(home: Home) -> None:
    """What goes on, and costs, although the run was stopped."""
    if still_on_their_way(home):
        terminal.say(
            "Stopped. What is on its way goes on, and is billed: `latent-probes run` lands it, "
            "`latent-probes cancel` stops it."
        )
    else:
        terminal.say("Stopped. Nothing is on its way; `latent-probes run` goes on.")


def canceled(home: Home) -> None:
    """What a provider still has to give back after a cancel."""
    open_batches = batches.open_at(home)
    for batch in open_batches:
        terminal.say(
            f"canceling: {batch.n_requests:,} requests at {batch.provider} "
            f"({batch.provider_batch_id})"
        )
    if open_batches:
        terminal.say(
            "A provider takes a while to stop; `latent-probes run --once` lands what was answered."
        )
    else:
        terminal.say("Nothing is on its way.")


def exported(home: Home) -> None:
    """The closing summary of an export: counts, rejections, histogram, one probe, files."""
    with warehouse.opened(home) as connection:
        show(
            connection,
            "Slots",
            """
            select
                scope, n_slots as slots, n_probes as probes, n_rejected as rejected,
                n_scored as scored, score_max_mean as "mean max score"
            from scope_summary order by scope_order
            """,
        )
        show(
            connection,
            "Rejections",
            """
            select
                rejection_reason as reason, sum(n_slots)::bigint as slots,
                any_value(meaning) as meaning
            from rejection_summary group by rejection_reason order by slots desc, reason
            """,
        )
        histogram(connection)
        one_probe(connection)
    for path in sorted(home.export.rglob("*")):
        if path.is_file():
            terminal.say(f"{path.stat().st_size:>12,} bytes  {os.path.relpath(path)}")


def histogram(connection) -> None:
    """The best score of each probe, as text bars."""
    rows = connection.execute(
        "select label, n_probes, share, upper(band) from score_histogram order by bin"
    ).fetchall()
    terminal.console.print(Text("\nMax score", style="bold"))
    for label, n_probes, share, band in rows:
        terminal.say(f"  {label}  {n_probes:>7,}  {share:>6.1%}  {terminal.bar(share)} {band}")


def one_probe(connection) -> None:
    """The scored probe nearest to the middle score, whole."""
    found = connection.execute(
        "select * exclude (end_of_context, start_of_context) from example_probe"
    )
    columns = [column[0] for column in found.description]
    terminal.console.print(Text("\nOne probe", style="bold"))
    for row in found.fetchall():
        for name, value in zip(columns, row, strict=True):
            terminal.console.print(
                Text.assemble((f"  {name}: ", "cyan"), shown(value)), soft_wrap=True
            )
    terminal.console.print()
