"""Every table that a command prints can be read on a terminal of 80 columns."""

from __future__ import annotations

import io
import re

import duckdb
import pytest
from conftest import copy_of
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.reports import contrast, exported, leaderboard, levels, plan, status
from latent_probes.reports.tables import Column, as_table, fitted, paragraph, print_table

LONG = "provider/claude-opus-5-thinking-20260101"


@pytest.fixture
def printed(monkeypatch):
    """A function that gives what is printed on a terminal of a width."""

    def run(width, report, *arguments, is_terminal=True) -> str:
        stream = io.StringIO()
        console = Console(file=stream, width=width, force_terminal=is_terminal, color_system=None)
        monkeypatch.setattr(terminal, "console", console)
        report(*arguments)
        return stream.getvalue()

    return run


def packed(text: str) -> str:
    """A text without white space and lines of tables."""
    return re.sub(r"[\s─]", "", text)


def widest(text: str) -> int:
    """The width of the widest line."""
    return max(map(cell_len, text.splitlines()))


@pytest.fixture(scope="module")
def large(finished_once, tmp_path_factory) -> Home:
    """A finished home whose models have long names, and whose numbers are large."""
    checkout = copy_of(finished_once, tmp_path_factory.mktemp("large") / "checkout")
    checkout.change(
        "create or replace table planned_requests as from planned_requests limit 0",
        *(
            f"insert into planned_requests by name select 12 as round_number, {order} as "
            f"stage_order, 'proposed' as round_state, '{stage}' as stage, '{LONG}' as model, 37000 "
            "as n_pending, 1184000 as n_downstream, 600000 as n_controls"
            for order, stage in enumerate(("generator", "answerer", "judge"), start=1)
        ),
        "create or replace table planned_prices as from planned_prices limit 0",
        "insert into planned_prices by name select round_number, stage, model, provider, "
        "12345.678 as usd, 'estimated' as token_basis from planned_requests, providers",
        f"update round_status set source_model = '{LONG}', n_documents = 37000, "
        "n_documents_wanted = 37000, n_slots = 592000, n_probes = 500000, n_pending = 92000, "
        "n_rejected = 12345, n_scored = 300000",
        f"update spend set model = '{LONG}', provider = 'anthropic-messages', n_attempts = "
        "1184000, n_succeeded = 1184000, usd = 12345.678",
        f"insert into oracle_leaderboard by name select true as is_headline, 1 as place, "
        f"'{LONG}' as oracle, 300000 as n_no_state, 300000 as n_other_state, 0.123 as headline, "
        "-0.111 as headline_low, 0.222 as headline_high, 0.123 as minus_no_state, 0.234 as "
        "minus_other_state, 0.9 as easy_score",
        f"insert into oracle_leaderboard by name select true as is_headline, '{LONG}-b' as oracle, "
        "false as is_baseline, "
        "'no answers from real_state' as no_place_reason, 12 as n_unscored",
        f"insert into contrast by name select '{LONG}' as method, 'total' as measure, 'sentence' "
        "as scope, 'suffix' as target, 'all' as typicality, 'none' as lens_length, 300000 as "
        "n_probes, 0.912 as accuracy, 0.9 as accuracy_low, 0.93 as accuracy_high, 0.98 as auc, "
        "1.5 as margin_mean, 0.7 as text_only_accuracy, 300000 as n_resampled, "
        "0.517 as resampled_accuracy",
        *(
            f"insert into calibration_sweep by name select -2 as calibration_level, 'all' as scope,"
            f" '{measure}' as measure, 0.123 as estimate, 0.1 as estimate_low, 0.2 as estimate_high"
            for measure in ("finalize rate", "mean best score", "share hard", "share easy")
        ),
    )
    return Home(checkout.folder, checkout.home)


REPORTS = {
    plan: ["37,000", "1,184,000", LONG, "generator", "$12,345.68"],
    status: [LONG, "37000 of 37000", "92,000", "500,000", "300,000", "1,184,000", "$12,345.68"],
    leaderboard: [LONG, "0.123", "-0.111", "0.222", "0.234", "no answers from real_state"],
    contrast: [LONG, "sentence", "suffix", "0.912", "0.900", "0.930", "0.700", "0.517"],
    levels: ["-2", "0.123 (0.100 to 0.200)"],
    exported: ["no_wrong_answer", "mean best score", "0.165", "Best score"],
}


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__.split(".")[-1])
@pytest.mark.parametrize("width", [80, 100])
def test_a_report_keeps_what_decides(report, width, large, printed):
    said = printed(width, report.show, large)
    tables = [line for line in said.splitlines() if re.match(r" [ ─\w]", line)]
    assert max(map(cell_len, tables)) <= width or report is exported
    for name in re.findall(r"Too narrow for: .+?\. See ([a-z_]+)", said):
        with duckdb.connect(str(large.warehouse), read_only=True) as connection:
            assert connection.execute(f"from {name} limit 0").description
    assert "Too narrow" not in printed(160, report.show, large, is_terminal=False)
    for value in REPORTS[report]:
        assert packed(value) in packed(said) or folded_into(value, said), value
    assert "…" not in said or report is exported


def folded_into(value: str, said: str) -> bool:
    """Whether a value is in a column of a table, in several lines below each other."""
    parts = [part for part in re.split(r"(?<=[-/_ ])", value) if part.strip()]
    return all(part.strip() in said for part in parts)


def test_a_table_that_fits_is_not_changed(printed):
    connection = duckdb.connect()
    query = "select 1 as round, 'a model' as \"source model\", '$1.50' as spent"
    assert printed(80, print_table, connection, "Rounds", query).splitlines()[2:5] == [
        "  round   source model   spent  ",
        " ────────────────────────────── ",
        "      1   a model        $1.50  ",
    ]


def test_optional_columns_are_the_first_to_go(printed):
    connection = duckdb.connect()
    query = f"select 1 as round, '{'x ' * 15}' as notes, 'none' as tokens, 1234567890 as pending"
    wide, narrow, narrower = (
        printed(width, print_table, connection, "Plan", query, ("tokens", "pending")).partition(
            "Too narrow for"
        )[0]
        for width in (80, 40, 28)
    )
    assert "tokens" in wide and "pending" in wide
    assert "tokens" not in narrow and "1,234,567,890" in narrow
    assert "pending" not in narrower and narrower.count("x") == 15


def test_a_table_that_lacks_columns_names_them_and_where_they_are(printed):
    query = f"select 1 as round, '{'x ' * 15}' as notes, 'none' as tokens, 1234567890 as pending"
    arguments = (print_table, duckdb.connect(), "Plan", query, ("pending", "tokens"), "planned")
    assert "Too narrow" not in printed(80, *arguments)
    assert "Too narrow for: pending. See planned, or" in printed(40, *arguments)
    assert "Too narrow for: tokens, pending. See planned, or" in printed(24, *arguments)


@pytest.mark.parametrize("width", [40, 160])
def test_piped_output_has_all_columns(width, printed):
    query = "select " + ", ".join(f"{10**9} as column_{n}" for n in range(30))
    optional = [f"column_{n}" for n in range(30)]
    said = printed(
        width, print_table, duckdb.connect(), "Many", query, optional, "many", is_terminal=False
    )
    (cells,) = (line.split() for line in said.splitlines() if "1,000,000,000" in line)
    assert len(cells) == 30
    assert all(name in said.split() for name in optional)
    assert terminal.console.width == width


def test_rows_that_fit_in_no_table_are_paragraphs_with_all_columns(printed):
    connection = duckdb.connect()
    query = "select " + ", ".join(f"{10**9} as column_{n}" for n in range(12))
    said = printed(60, print_table, connection, "Many", query, ("column_0",))
    assert widest(said) <= 60
    assert said.count("1,000,000,000") == 12 and "column_0: 1,000,000,000" in said


NAMES = st.text("abcdefgh -_", min_size=1, max_size=20).filter(str.strip)
CELLS = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Z", "M"]), max_size=60)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(NAMES, st.booleans(), CELLS, CELLS), min_size=1, max_size=9),
    st.integers(40, 100),
)
def test_no_table_is_wider_than_the_terminal_and_none_loses_a_text(made, width):
    columns = [
        Column(name, ["123,456"] * 2 if is_number else [first, second], is_number, is_number)
        for name, is_number, first, second in made
    ]
    fitting = fitted(columns, width, 2)
    if fitting is None:
        said = "\n".join(paragraph(columns, number, width) for number in range(2))
    else:
        stream = io.StringIO()
        Console(file=stream, width=width, legacy_windows=False).print(as_table("", fitting, 2))
        said = stream.getvalue()
        for column, wrapped in zip(columns, fitting, strict=True):
            assert [packed(cell) for cell in wrapped.cells] == [*map(packed, column.cells)]
    assert widest(said) <= width
    for column in columns:
        for mark in "".join(column.cells):
            assert mark in said
