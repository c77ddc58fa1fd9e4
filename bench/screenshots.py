"""Make pictures of the explorer's views, to be looked at.

    python bench/screenshots.py FOLDER [TARGET]

Opens the data set in FOLDER in Chromium and writes one PNG file per view to TARGET (default:
screenshots). Needs the page (`make explorer`) and a Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "python"))

import browsing
import duckdb

HARD_SUFFIX = "#/probes?scope=sentence&target=suffix&best=0-39"


def main() -> None:
    """Write the pictures and print their names."""
    folder = Path(sys.argv[1])
    target = Path(sys.argv[2] if len(sys.argv) > 2 else "screenshots")
    target.mkdir(parents=True, exist_ok=True)
    views = {
        "probes": ("", 1280, "light"),
        "filtered-dark": (HARD_SUFFIX, 1280, "dark"),
        "probe": (slot_of(folder, "train"), 1280, "light"),
        "probe-dark": (slot_of(folder, "train"), 1280, "dark"),
        "rejections": ("#/rejections", 1280, "light"),
        "arms": ("#/arms", 1280, "light"),
        "reading": ("#/reading", 1280, "light"),
        "rejected": (slot_of(folder, "rejections"), 1280, "light"),
        "probes-phone": (HARD_SUFFIX, 390, "light"),
        "probe-phone": (slot_of(folder, "train"), 390, "dark"),
    }
    with browsing.explored(folder) as address, browsing.browser() as browser:
        for name, (fragment, width, scheme) in views.items():
            size = {"width": width, "height": 844 if width < 500 else 900}
            tab = browser.new_page(viewport=size, color_scheme=scheme)
            tab.goto(address + fragment)
            tab.wait_for_load_state("networkidle")
            tab.screenshot(path=target / f"{name}.png")
            tab.close()
            print(target / f"{name}.png")


def slot_of(folder: Path, table: str) -> str:
    """The address of the first HARD suffix sentence, or of the first rejected slot."""
    place, condition = {
        "train": ("data", "scope = 'sentence' and target = 'suffix' and bb_answer_score_max < 0.4"),
        "rejections": ("rejections", "true"),
    }[table]
    file, doc_id, slot = duckdb.execute(
        f"""
        select filename, doc_id, slot_idx::int
        from read_parquet('{folder}/{place}/*.parquet', filename = true)
        where {condition} order by all limit 1
        """
    ).fetchall()[0]
    return f"#/probe/{int(Path(file).stem[-4:])}/{doc_id}/{slot}"


if __name__ == "__main__":
    main()
