"""The pages as a folder that can be published, and the recipes for readers of a set."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT, copy_of

sys.path.insert(0, str(ROOT / "docs" / "site"))
import pages

RECIPES = re.findall(
    r"^## (.*?)$.*?^```python\n(.*?)^```\n\n```text\n(.*?)^```",
    (ROOT / "docs" / "using-a-set.md").read_text(),
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder with the pages of the project."""
    site = tmp_path_factory.mktemp("site")
    pages.write(site)
    for name in (pages.TABLES, pages.COLUMNS):
        (site / name).parent.mkdir()
        (site / name).touch()
    return site


def html_of(site):
    return sorted(path for path in site.rglob("*.html") if path.stat().st_size)


def test_every_link_leads_to_a_page_and_every_anchor_to_a_heading(written):
    assert len(html_of(written)) == len(pages.sources()) > 20
    assert list(pages.broken_links(html_of(written))) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("no-such-page.html", "no-such-page.html leads to no file"),
        ("docs/glossary.html#no-such-term", "docs/glossary.html#no-such-term leads to no heading"),
        ("#nowhere", "#nowhere leads to no heading"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(written, tmp_path, address, said):
    page = written / "index.html"
    before = page.read_text()
    page.write_text(before.replace("<main>", f'<main><a href="{address}">x</a>'))
    try:
        assert list(pages.broken_links(html_of(written))) == [f"index.html: {said}"]
    finally:
        page.write_text(before)


def test_pages_load_nothing_from_elsewhere(written):
    for page in html_of(written):
        assert (
            re.findall(
                r'<(?:script|iframe)[^>]*|<img[^>]*src="[a-z]+:|<link[^>]*href="[a-z]+:',
                page.read_text(),
            )
            == []
        )


def test_html_in_a_page_is_text():
    _, body = pages.rendered("# A <b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\n")
    assert "<script>" not in body
    assert "&lt;script&gt;" in body
    assert 'href="javascript' not in body


def test_equal_headings_of_a_page_have_different_anchors():
    title, body = pages.rendered("# Bands, of `probes`\n\n## A\n\n## A\n")
    assert title == "Bands, of probes"
    assert re.findall(r'id="(.*?)"', body) == ["bands-of-probes", "a", "a-1"]


@pytest.mark.parametrize(("heading", "code", "shown"), RECIPES, ids=[name for name, *_ in RECIPES])
def test_a_recipe_prints_what_the_page_shows(
    heading, code, shown, demo_once, tmp_path, monkeypatch
):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    (tmp_path / "demo").symlink_to(demo_once.home)
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    assert [line.rstrip() for line in said.getvalue().rstrip().splitlines()] == shown.splitlines()


def test_the_query_of_the_leaderboard_has_a_row_per_method(demo_once):
    page = (ROOT / "docs" / "using-a-set.md").read_text()
    (query,) = re.findall(r"^```sql\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    methods = demo_once.query("select oracle from oracle_leaderboard where is_headline")
    assert sorted((row[1],) for row in demo_once.query(query)) == sorted(methods) != []


def test_every_way_to_read_a_set_has_a_recipe():
    assert {name.split(":")[0] for name, *_ in RECIPES} > {"DuckDB", "pandas", "polars", "datasets"}


@pytest.mark.soak
def test_the_documentation_is_one_folder(demo_once, tmp_path):
    checkout = copy_of(demo_once, tmp_path / "checkout")
    for source in [Path("docs/site"), pages.PICTURES, *pages.sources()]:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy2
        (checkout.folder / source).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, checkout.folder / source)
    installed = ("--assume-old=.venv/installed", "--assume-old=.venv/installed-docs")
    said = checkout.runs("make", "docs", *installed)
    assert f"made site: {len(pages.sources())} pages, tables, and the lineage of all but" in said
    site = checkout.folder / "site"
    assert "oracle_leaderboard" in (site / pages.TABLES).read_text()
    assert "window.colibriTelemetry = false" in (site / pages.COLUMNS).read_text()
