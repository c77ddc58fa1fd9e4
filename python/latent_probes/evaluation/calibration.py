"""A calibration: the same documents asked at every level of strictness, in a home of its own.

A level is a round there, made by the same models and commands as any other; so nothing of it can
reach what is published. The documents are set apart in the landing file that they come from.
"""

from __future__ import annotations

import os
import re

from latent_probes import landing, warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home, locked
from latent_probes.landing import calibrations

LEVELS = re.compile(r"(-?\d+)(?:\.\.(-?\d+))?")


class CalibrationError(Exception):
    """A calibration cannot be made; the message says why and what to do."""


def parse_levels(text: str) -> list[int]:
    """The levels that ``FIRST..LAST`` names, or one of them alone."""
    found = LEVELS.fullmatch(text.strip())
    if not found:
        raise CalibrationError(f"{text!r} is not of the form FIRST..LAST")
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise CalibrationError(f"{text!r}: the first level is above the last")
    return list(range(first, last + 1))


def prepare(home: Home, n_documents: int, levels: list[int], like: int | None) -> Home:
    """Set documents apart and state the levels; return the home of the calibration.

    What was prepared before goes on: levels may be added, and once something was sent, documents
    may not. From now on this
    process, and dbt in it, works in the returned home. Raises CalibrationError if too few
    documents are left, or if a calibration with other settings is there.
    """
    if warehouse.is_calibration(home):
        raise CalibrationError(
            f"{home.folder} is the home of a calibration: unset LATENT_PROBES_HOME, or name the "
            "home that the calibration belongs to"
        )
    with locked(home):
        warehouse.build(home, tested=False)
        there = Home(home.project, home.calibration.resolve())
        stated = stated_levels(there)
        # What was begun goes on as it is, whatever rounds have come since.
        settings = stated[0] if stated and like is None else settings_like(home, like)
        refuse_unknown(home, levels)
        with landing.opened(home.landing) as connection:
            apart = landing.calibration_documents(connection)
        if len(apart) != n_documents and was_sent(there):
            raise CalibrationError(
                f"{len(apart):,} documents are set apart for calibration, and stay so: "
                f"say --docs {len(apart)}"
            )
        if len(apart) != n_documents:
            drawn = draw_documents(home, settings, n_documents)
            # Only the price was asked for until now, if anything.
            there.landing.unlink(missing_ok=True)
            with landing.opened(home.landing) as connection:
                landing.set_apart(connection, settings["source_model"], drawn)
        if any(other != settings for other in stated):
            raise CalibrationError(
                f"round {like} has other settings than the calibration that was begun: leave "
                "--like out to go on with it"
            )
        with landing.opened(there.landing) as connection:
            landing.add_levels(connection, home.landing, settings, levels)
    os.environ["LATENT_PROBES_HOME"] = str(there.folder)
    return there


def was_sent(there: Home) -> bool:
    """Whether anything of the calibration was ever sent, or meant to be."""
    if not there.landing.exists():
        return False
    with landing.opened(there.landing) as connection:
        return bool(landing.one(connection, "select count(*) from requests")[0])


def stated_levels(there: Home) -> list[dict]:
    """The settings of each level that was begun, but for the level itself."""
    if not there.landing.exists():
        return []
    with landing.opened(there.landing) as connection:
        levels = landing.stated_levels(connection)
    return [{name: level[name] for name in calibrations.SETTINGS} for level in levels]


def refuse_export(home: Home) -> None:
    """Raise CalibrationError in the home of a calibration: its probes are not published."""
    if warehouse.is_calibration(home):
        raise CalibrationError(
            f"{home.folder} is the home of a calibration, whose probes share their documents: "
            "they are not published"
        )


def settings_like(home: Home, like: int | None) -> dict:
    """The settings of a round, by its number; without one, of the last round."""
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
            f"there is no round {like}" if like is not None else "there is no round to be like"
        )
    return dict(zip(calibrations.SETTINGS, found[0], strict=True))


def refuse_unknown(home: Home, levels: list[int]) -> None:
    """Raise CalibrationError for levels that seeds/calibration_levels.csv has not."""
    with warehouse.opened(home) as connection:
        known = connection.execute("select calibration_level from calibration_levels").fetchall()
    unknown = set(levels) - {level for (level,) in known}
    if unknown:
        raise CalibrationError(
            f"seeds/calibration_levels.csv has no level {', '.join(map(str, sorted(unknown)))}"
        )


def draw_documents(home: Home, settings: dict, n_documents: int) -> list[str]:
    """Fit documents that no round has or would draw now, by a draw of the round's seed."""
    with warehouse.opened(home) as connection:
        found = connection.execute(
            """
            select doc_id
            from prefixes
            anti join round_documents using (source_model, doc_id)
            where source_model = $source_model and exclusion_reason is null
            order by md5(json_array($seed, 'calibration', doc_id)::varchar), doc_id
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
            f"{len(found):,} fit documents of {settings['source_model']} are in no round, and "
            f"{n_documents:,} are asked for: land more rollouts, or say --docs {len(found)}"
        )
    return [doc_id for (doc_id,) in found]


def draw(home: Home) -> None:
    """Draw the sweep into the home."""
    from latent_probes.pictures import sweep

    path = home.folder / sweep.NAME
    with warehouse.opened(home) as connection:
        if sweep.draw(connection, path):
            terminal.say(f"drew {os.path.relpath(path)}")
