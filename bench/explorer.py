"""Measure the explorer's page in a browser, over an export of any size.

    python bench/explorer.py FOLDER

Opens the data set in FOLDER in Chromium, over loopback, and prints seconds, requests, bytes and
memory: of the first view with all counts, of the list, of a filter, of probes far from each other,
each read for the first time, and of the next document, after a second on one. Needs the page
(`make explorer`) and a Chromium. Seconds on a busy machine mean little; those of the page's own
process are printed too.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "python"))

import browsing
import duckdb

N_PROBES = 5
MEMORY = ("--enable-precise-memory-info", "--js-flags=--expose-gc")


class Meter:
    """Reads what a tab has fetched, by its own account, and how long its process has worked."""

    def __init__(self, tab):
        self.tab = tab
        self.session = tab.context.new_cdp_session(tab)
        self.session.send("Performance.enable")

    def fetched(self) -> list[int]:
        """Requests and kB so far, as the foot of the page says."""
        if not self.tab.locator(".foot").count():
            return [0, 0]
        # The foot follows every half second.
        self.tab.wait_for_timeout(700)
        counted = self.tab.locator(".foot span").last.inner_text()
        return [int(number) for number in re.findall(r"\d+", counted.replace(",", ""))]

    def busy(self) -> float:
        """Seconds that the page's process has worked."""
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}["ProcessTime"]

    def report(self, name: str, act) -> None:
        """Print what an act takes until it returns."""
        requests, size = self.fetched()
        started, busy = time.time(), self.busy()
        act()
        seconds, busy = time.time() - started, self.busy() - busy
        self.tab.wait_for_load_state("networkidle")
        all_requests, all_size = self.fetched()
        print(
            f"| {name} | {seconds:.2f} | {busy:.2f} | {all_requests - requests} | "
            f"{(all_size - size) / 1000:.2f} |",
            flush=True,
        )


def main() -> None:
    """Print the table of one data set."""
    folder = Path(sys.argv[1])
    fragments = probes_of(folder)
    with (
        browsing.explored(folder) as address,
        browsing.browser(*MEMORY) as browser,
    ):
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        meter = Meter(tab)

        def first() -> None:
            tab.goto(address)
            tab.wait_for_selector(".histogram")

        def listed() -> None:
            tab.wait_for_selector(".list .question >> text=/\\S/")

        def filtered() -> None:
            tab.click("section[aria-labelledby=facet-scope] button:has-text('sentence')")
            listed()

        print("| | seconds | busy | requests | MB |\n|---|---:|---:|---:|---:|")
        meter.report("first view, all counts", first)
        meter.report("first page of the list", listed)
        meter.report("a filter", filtered)
        for fragment in fragments:

            def probe(fragment=fragment) -> None:
                tab.evaluate("fragment => { location.hash = fragment; }", fragment)
                slot = fragment.rpartition("/")[2]
                tab.wait_for_selector(f".slots [aria-current] >> text=/^{slot}$/")
                tab.wait_for_selector(".truth")

            meter.report(f"probe {fragment.partition('/probe/')[2]}", probe)

        def next_document() -> None:
            shown = tab.inner_text("h1")
            tab.keyboard.press("Shift+ArrowRight")
            tab.wait_for_function(
                "shown => (document.querySelector('h1')?.innerText ?? shown) != shown", arg=shown
            )

        for _ in range(N_PROBES):
            tab.wait_for_timeout(300)
            meter.report("the next document", next_document)
        used = tab.evaluate("() => { gc(); return performance.memory.usedJSHeapSize; }")
        print(f"\n{used / 1e6:.0f} MB of memory are used by the page at the end")


def probes_of(folder: Path) -> list[str]:
    """Addresses of some probes, far from each other."""
    rows = duckdb.execute(
        f"""
        select filename, doc_id, slot_idx::int
        from read_parquet('{folder}/data/*.parquet', filename = true)
        where scope = 'sentence'
        qualify row_number() over (order by md5(doc_id || slot_idx)) <= {N_PROBES}
        order by all
        """
    ).fetchall()
    return [f"#/probe/{int(Path(file).stem[-4:])}/{doc_id}/{slot}" for file, doc_id, slot in rows]


if __name__ == "__main__":
    main()
