"""Build and test the warehouse, limited to what changed since the last build."""

from __future__ import annotations

from latent_probes import landing
from latent_probes.common.home import BusyError, Home, locked
from latent_probes.warehouse import project_vars, seeds, started_rounds
from latent_probes.warehouse.dbt import call_dbt
from latent_probes.warehouse.opening import attach, holder
from latent_probes.warehouse.seed_files import Seed
from latent_probes.warehouse.stamps import changed_tables, is_current, stamp, stamped, state

# Unit tests check the project, not the landed data: `make test` runs them.
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")

BUILD = ("build", *NO_UNIT_TESTS, "--exclude-resource-type", "test")

TESTS_BEFORE_SPENDING = (
    "rounds_share_no_document",
    "open_or_answered_requests_are_not_pending",
    "no_request_is_asked_too_often",
    "committed_spend_covers_every_attempt",
)

# Models that a run reads before it sends requests.
ASKED_FROM = (
    *("pending_prices", "committed_spend", "round_documents"),
    *("generator_inputs", "answerer_inputs", "judge_inputs"),
    *TESTS_BEFORE_SPENDING,
)


def build(home: Home, *, tested: bool) -> None:
    """Bring the warehouse up to date; with ``tested``, also run all data tests.

    Does nothing if neither the landing file nor the project has changed since the last build. If
    only landing tables changed, builds only the models downstream of them. Raises ProjectError if
    the project is invalid, BusyError while another command uses the home, and WarehouseError if a
    model cannot be built or a test fails.
    """
    refuse_invalid(home)
    if is_current(home, tested=tested):
        return
    with locked(home):
        if not is_current(home, tested=False):
            selected = [f"source:landing.{name}+" for name in changed_tables(home)]
            # Taken before the build: changes made while dbt runs belong to the next build.
            tables, built_of = landing.contents(home.landing), state(home)
            call_dbt(home, [*BUILD, *(["--select", *selected] if selected else [])], "building")
            stamp(home, built_of, tables, tested=False)
        if tested and not is_current(home, tested=True):
            call_dbt(home, ["test", *NO_UNIT_TESTS], "testing")
            if noted := stamped(home):
                stamp(home, noted["state"], noted["tables"], tested=True)


def build_if_free(home: Home) -> str | None:
    """Bring the warehouse up to date, unless another process is in the way: return which.

    Waits for nothing.
    """
    refuse_invalid(home)
    if is_current(home, tested=False):
        return None
    try:
        with locked(home):
            if home.warehouse.exists() and (who := holder(home)):
                return f"{home.warehouse} is open in {who}"
            build(home, tested=False)
    except BusyError as busy:
        return busy.holder
    return None


def refuse_invalid_files(home: Home) -> dict[str, Seed]:
    """Raise ProjectError if a var or a line of a seed is invalid; else return the seeds."""
    project_vars.refuse_invalid_vars(home.project)
    return seeds.refuse_invalid_seeds(home.project)


def refuse_invalid(home: Home) -> None:
    """Raise ProjectError also if the line of a started round was edited."""
    started_rounds.refuse_edits(home, refuse_invalid_files(home)["rounds"])


def build_before_run(home: Home) -> None:
    """Update the models that a run reads before it sends requests; reports follow after the run."""
    refuse_invalid(home)
    if not is_current(home, tested=False):
        selected = [f"+{name}" for name in ASKED_FROM]
        call_dbt(home, [*BUILD, "--select", *selected], "building the queue")


def build_queue(home: Home) -> None:
    """Update the queue with the responses that landed since the last build.

    Builds only the models in between: seeds, rollouts and rounds do not change within a run, and
    models of probes only change if a generator has answered.
    """
    arguments = ["run", "--select", "responses+,+pending_prices", "responses+,+committed_spend"]
    if not has_unread_generation(home):
        written = "generator_outputs+"
        arguments += ["--exclude", f"{written},+answerer_requests", f"{written},+anchor_answers"]
    call_dbt(home, arguments, "updating the queue")


def test_queue(home: Home) -> None:
    """Run the tests that must pass before money is spent; raise WarehouseError if one fails.

    Does nothing if the last build passed all tests and nothing has changed since.
    """
    if not is_current(home, tested=True):
        call_dbt(home, ["test", "--select", *TESTS_BEFORE_SPENDING], "testing rounds and queue")


def has_unread_generation(home: Home) -> bool:
    """Whether generator answers have landed that are not in the warehouse yet."""
    with landing.opened(home.landing) as connection:
        attach(home, connection)
        ((n_unread,),) = connection.execute(
            """
            select count(*)
            from responses
            join requests using (request_id, attempt)
            anti join warehouse.responses using (request_id, attempt)
            where requests.stage = 'generator'
            """
        ).fetchall()
    return n_unread > 0
