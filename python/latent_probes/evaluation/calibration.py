"""Calibration: the same documents at several levels of strictness, in a separate home directory.

Each level is a round there, run with the same models and commands as any other, so nothing of it
can be published. In the original landing file, the documents are reserved for the calibration.
"""

from __future__ import annotations

import re

from latent_probes import landing, warehouse
from latent_probes.common import sql, terminal
from latent_probes.common.home import Home, locked
from latent_probes.landing import calibrations

LEVELS = re.compile(r"(-?\d+)(?:\.\.(-?\d+))?")


class CalibrationError(Exception):
    """A calibration cannot run; the message gives the reason and the remedy."""


def parse_levels(text: str) -> list[int]:
    """Parse levels of the form ``FIRST..LAST`` or a single level."""
    found = LEVELS.fullmatch(text.strip())
    if not found:
        raise CalibrationError(f"{text!r} does not have the form FIRST..LAST, e.g. -3..3")
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise CalibrationError(f"{text!r}: the first level is above the last")
    return list(range(first, last + 1))


def prepare(home: Home, n_documents: int, levels: list[int], like: int | None) -> Home:
    """Reserve documents and record the levels; return the calibration's home.

    A calibration that was prepared earlier continues: levels can be added, but no documents once
    anything was sent. Raises CalibrationError if too few documents are left, or if a calibration
    with other settings exists.
    """
    if warehouse.is_calibration(home):
        raise CalibrationError(
            f"{home.folder} is the home directory of a calibration: unset LATENT_PROBES_HOME, or "
            "set it to the home that the calibration belongs to"
        )
    with locked(home):
        warehouse.build(home, tested=False)
        there = Home(home.project, home.calibration.resolve())
        stated = stated_levels(there)
        # An existing calibration keeps its settings, whatever rounds were added since.
        settings = stated[0] if stated and like is None else settings_like(home, like)
        refuse_unknown(home, levels)
        with landing.opened(home.landing) as connection:
            apart = landing.calibration_documents(connection)
        if len(apart) != n_documents and was_sent(there):
            raise CalibrationError(
                f"the calibration already uses {len(apart):,} documents, which cannot change: "
                f"use --documents {len(apart)}"
            )
        if len(apart) != n_documents:
            drawn = draw_documents(home, settings, n_documents)
            # Nothing was sent yet, so it can be started again.
            there.landing.unlink(missing_ok=True)
            with landing.opened(home.landing) as connection:
                landing.set_apart(connection, settings["source_model"], drawn)
        if any(other != settings for other in stated):
            raise CalibrationError(
                f"round {like} has other settings than the existing calibration: omit --like to "
                "continue it"
            )
        with landing.opened(there.landing) as connection:
            landing.add_levels(connection, home.landing, settings, levels)
    return there


def was_sent(there: Home) -> bool:
    """Whether any request of the calibration was sent or recorded for sending."""
    if not there.landing.exists():
        return False
    with landing.opened(there.landing) as connection:
        return bool(landing.one(connection, "select count(*) from requests")[0])


def stated_levels(there: Home) -> list[dict]:
    """The settings of each existing level, except the level itself."""
    if not there.landing.exists():
        return []
    with landing.opened(there.landing) as connection:
        levels = landing.stated_levels(connection)
    return [{name: level[name] for name in calibrations.SETTINGS} for level in levels]


def refuse_export(home: Home) -> None:
    """Raise CalibrationError in a calibration's home: its probes are never published."""
    if warehouse.is_calibration(home):
        raise CalibrationError(
            f"{home.folder} is the home directory of a calibration, which is never published: its "
            "levels share their documents"
        )


def settings_like(home: Home, like: int | None) -> dict:
    """The settings of a round; without a number, of the last round."""
    names = ", ".join(calibrations.SETTINGS)
    with warehouse.opened(home) as connection:
        found = connection.execute(
            f"""
            select {names} from round_settings
            where $like is null or round_number = $like
            order by round_number desc limit 1
            """,
            {"like": like},
        ).fetchall()
    if not found:
        raise CalibrationError(
            f"there is no round {like}"
            if like is not None
            else "no round to copy settings from: add one to seeds/rounds.csv"
        )
    return dict(zip(calibrations.SETTINGS, found[0], strict=True))


def refuse_unknown(home: Home, levels: list[int]) -> None:
    """Raise CalibrationError for levels that are missing in seeds/calibration_levels.csv."""
    with warehouse.opened(home) as connection:
        known = connection.execute("select calibration_level from calibration_levels").fetchall()
    unknown = set(levels) - {level for (level,) in known}
    if unknown:
        raise CalibrationError(
            f"seeds/calibration_levels.csv has no level {', '.join(map(str, sorted(unknown)))}"
        )


def draw_documents(home: Home, settings: dict, n_documents: int) -> list[str]:
    """Draw eligible documents, with the round's seed, that no round uses or would draw now."""
    with warehouse.opened(home) as connection:
        found = connection.execute(
            f"""
            select doc_id
            from prefixes
            anti join round_documents using (source_model, doc_id)
            where source_model = $source_model and exclusion_reason is null
            order by {sql.macro("identity", ("$seed", "'calibration'", "doc_id"))}, doc_id
            limit $n
            """,
            {
                "source_model": settings["source_model"],
                "seed": settings["seed"],
                "n": n_documents,
            },
        ).fetchall()
    if len(found) < n_documents:
        raise CalibrationError(
            f"only {len(found):,} unused eligible documents of {settings['source_model']}, "
            f"{n_documents:,} requested: land more rollouts"
            + (f" or use --documents {len(found)}" if found else "")
        )
    return [doc_id for (doc_id,) in found]


def draw(home: Home) -> None:
    """Plot the comparison of the levels to the home directory."""
    from latent_probes.pictures import sweep

    path = home.folder / sweep.NAME
    with warehouse.opened(home) as connection:
        if sweep.draw(connection, path):
            terminal.say(f"drew {path}")
