"""Calibration: the same documents at every level, separate from the rounds."""

from __future__ import annotations

import pytest
from conftest import HOME, Checkout
from test_controls import set_controls

from latent_probes.evaluation import calibration

pytestmark = pytest.mark.rounds

CALIBRATE = ("latent-probes", "calibrate", "--documents", "6", "--levels")


@pytest.mark.parametrize(
    ("text", "levels"), [("-3..3", [-3, -2, -1, 0, 1, 2, 3]), ("-2", [-2]), (" 0..1 ", [0, 1])]
)
def test_levels_are_a_range(text, levels):
    assert calibration.parse_levels(text) == levels


@pytest.mark.parametrize("text", ["", "a..b", "1..", "3..-3", "-3...3"])
def test_an_invalid_range_is_refused(text):
    with pytest.raises(calibration.CalibrationError):
        calibration.parse_levels(text)


@pytest.fixture(scope="module")
def calibrated(new_checkout, tmp_path_factory) -> Checkout:
    """Two levels that were asked of six documents, beside a round that was not run. To be kept."""
    checkout = new_checkout(tmp_path_factory.mktemp("calibrated"))
    # Levels have numbers as rounds have, the first of them 1, and there are two.
    line = "5,1,gemma-3-270m,-2,2,lexical,lexical,lexical,false"
    checkout.set_rounds(f"1,{line}", f"3,{line}")
    set_controls(checkout, "1,question_only,1,,", "1,judge_retest,1,,", "3,question_only,1,,")
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    # Without a provider, the price and nothing else.
    said = checkout.runs("latent-probes", "calibrate", "--documents", "5", "--levels", "-1..0")
    assert "Requests to send" in said
    assert "--max-cost" in said
    there = at_home(checkout)
    assert there.query("select count(*) from requests", "landing") == [(0,)]
    said = checkout.runs(*CALIBRATE, "-1..0", "--provider", "lexical", "--max-cost", "1")
    assert "Recommended: level" in said
    return checkout


class Calibration(Checkout):
    """The home of a calibration, as a checkout whose home it is."""

    @property
    def home(self):
        """Where its files lie."""
        return self.folder / HOME / "calibration"


def at_home(checkout: Checkout) -> Calibration:
    """The calibration of a checkout."""
    home = {"LATENT_PROBES_HOME": f"{HOME}/calibration"}
    return Calibration(checkout.folder, home)


def test_a_control_of_a_round_is_none_of_a_level(calibrated):
    there = at_home(calibrated)
    assert there.query("select distinct arm from arm_coverage") == [("complement",)]
    assert there.query("select count(*) from judge_checks") == [(0,)]


def test_every_level_asks_the_same_documents(calibrated):
    there = at_home(calibrated)
    assert there.query(
        "select count(distinct doc_ids), max(n) from (select round_number, count(*) as n, "
        "list(doc_id order by doc_id) as doc_ids from round_documents group by all)"
    ) == [(1, 6)]
    assert there.query(
        "select list(distinct calibration_level order by 1) from round_settings"
    ) == [([-1, 0],)]
    # And all of it was answered and judged.
    assert there.query(
        "select count(*) > 50, count(*) filter (where scores is null) from probe_scores"
    ) == [(True, 0)]


def test_no_round_has_a_document_of_the_calibration(calibrated):
    calibrated.add_round("2,30,2,gemma-3-270m,-2,2,lexical,lexical,lexical,false")
    calibrated.runs("latent-probes", "status")
    apart = {doc_id for _, doc_id in calibrated.query("from calibration_documents", "landing")}
    assert len(apart) == 6
    drawn = {doc_id for (doc_id,) in calibrated.query("select doc_id from round_documents")}
    assert len(drawn) > 12
    assert not drawn & apart
    # Nothing of it is in the warehouse from which is published.
    assert calibrated.query("select count(*) from calibration_sweep") == [(0,)]
    assert calibrated.query("select count(*) from train") == [(0,)]
    assert calibrated.query("select count(*) from requests", "landing") == [(0,)]


def test_the_sweep_closes_and_has_no_interval_of_few_documents(calibrated):
    there = at_home(calibrated)
    rows = there.query(
        "select calibration_level, scope, measure, n_values, estimate, estimate_low, "
        "estimate_high from calibration_sweep"
    )
    found = {row[:3]: row[3:] for row in rows}
    for level in (-1, 0):
        rate = found[level, "all", "finalize rate"]
        # Of all slots but the declined ones.
        declined = "select count(*) from slots where rejection_reason = 'declined'"
        ((n_declined,),) = there.query(
            f"{declined} and round_number in "
            f"(select round_number from round_settings where calibration_level = {level})"
        )
        assert rate[0] == 6 * 6 - n_declined
        rejected = sum(
            row[4] for row in rows if row[:2] == (level, "all") and row[2].startswith("rejected")
        )
        assert rate[1] * rate[0] / 36 + rejected == pytest.approx(1)
        bins = [row[4] for row in rows if row[:2] == (level, "all") and "score in" in row[2]]
        assert len(bins) == 5
        assert sum(bins) == pytest.approx(1)
        # Of six documents.
        assert found[level, "all", "mean best score"][2:] == (None, None)
        assert found[level, "all", "dollars of a document"][1] == 0
    assert (at_home(calibrated).home / "calibration_sweep.png").stat().st_size > 10_000


def test_a_calibration_goes_on_and_is_never_published(calibrated):
    there = at_home(calibrated)
    before = there.query("select count(*) from requests", "landing")
    said = calibrated.runs(*CALIBRATE, "-1..0", "--provider", "lexical")
    assert there.query("select count(*) from requests", "landing") == before
    assert "never published" in there.fails("latent-probes", "export")
    assert "home directory of a calibration" in there.fails(*CALIBRATE, "-1..0")
    assert "use --documents 6" in calibrated.fails("latent-probes", "calibrate", "--documents", "7")
    assert "round 2 has other settings" in calibrated.fails(*CALIBRATE, "0..1", "--like", "2")
    assert "no level 4" in calibrated.fails(*CALIBRATE, "3..4")
    assert "Recommended" in said


def test_too_few_documents_are_said(finished):
    said = finished.fails("latent-probes", "calibrate", "--documents", "100")
    assert ", 100 requested: land more rollouts or use --documents" in said
    assert finished.query("select count(*) from calibration_documents", "landing") == [(0,)]
