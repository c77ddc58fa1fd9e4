"""The explorer's page in a real browser, over the export of the demo."""

from __future__ import annotations

import json
import re
import shutil
import signal
from urllib.parse import urlsplit

import browsing
import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.parquet
import pytest
from conftest import copy_of
from stand_in_hub import StandInHub

from latent_probes.explorer import page
from latent_probes.queue import rendering

pytestmark = pytest.mark.browser

AXE = page.STATIC.parents[3] / "explorer" / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
    "<a href=\"javascript:document.title='owned'\">javascript:alert(1)</a> "
    "\u202eright to left\u202c nul\0 zero\u200bwidth \U0001f600 {{ 7 * 7 }} ${7 * 7} 'quote\" -- "
)
VIEWS = (
    *("", "#/probes?scope=sentence&best=0-39", "#/probe/1/lcet10.txt-04/10"),
    *("#/rejections", "#/arms", "#/leaderboard", "#/spend", "#/reading"),
)
LONG_LINE = HOSTILE + "x" * 1_000_000


@pytest.fixture(scope="module")
def export(demo_once):
    """The demo's export."""
    return demo_once.home / "export"


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests."""
    with browsing.browser() as browser:
        yield browser


@pytest.fixture
def tab(chromium):
    """A new tab whose errors, warnings and requests are noted."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.complaints, tab.requested = [], []
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("console", lambda said: tab.complaints.append(said.text))
    tab.on("request", lambda request: tab.requested.append(request.url))
    tab.set_default_timeout(20_000)
    yield tab
    context.close()


@pytest.fixture
def address(export):
    """The address of the page over the demo's export."""
    with browsing.explored(export) as address:
        yield address


def queried(folder, query: str) -> list[tuple]:
    """The rows of a query over the files of a data set."""
    with duckdb.connect() as connection:
        connection.execute(f"set file_search_path = '{folder}'")
        return connection.execute(query).fetchall()


def open_at(tab, address: str, fragment: str = "") -> None:
    """Open a view and wait until it has read everything."""
    # A change of the fragment alone loads nothing that could be waited for.
    tab.goto("about:blank")
    tab.goto(address + fragment)
    tab.wait_for_load_state("networkidle")


def count_shown(tab) -> int:
    """The number of probes that the list says it has."""
    return int(re.match(r"[\d,]+", tab.inner_text("#selected"))[0].replace(",", ""))


def test_the_export_has_the_page(demo_once, export):
    assert {path.name for path in (export / "explore").iterdir()} == set(page.NAMES)
    assert "OK" in demo_once.runs("latent-probes", "check")


def test_the_command_serves_the_export_until_it_is_stopped(demo_once, tab):
    with demo_once.start("latent-probes", "explore", "--no-browser", "--port", "0") as process:
        address = re.search(r"http://127.0.0.1:\d+/explore/", process.stdout.readline())[0]
        open_at(tab, address)
        assert count_shown(tab) == 307
        process.send_signal(signal.SIGINT)
        assert "stopped" in process.stdout.read()
        assert process.wait(20) == 130


def test_each_picture_filters_and_says_its_query(tab, address, export):
    open_at(tab, address)
    assert [(count_shown(tab),)] == queried(export, "select count(*) from 'data/*.parquet'")
    for facet, value in (("scope", "sentence"), ("target", "suffix"), ("typicality", "atypical")):
        tab.click(f"section[aria-labelledby=facet-{facet}] button:has-text('{value}')")
        expect_sql(tab, export)
    tab.click(".band-buttons .hard")
    expect_sql(tab, export)
    assert "scope=sentence" in tab.url
    assert 0 < count_shown(tab) < 60
    # All of it is in the address.
    shown = tab.inner_text(".list ol")
    tab.reload()
    tab.wait_for_load_state("networkidle")
    assert tab.inner_text(".list ol") == shown


def test_a_set_without_an_overview_is_counted_from_its_rows(tab, address, export, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(export, folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    files = [file for file in manifest["files"] if not file["path"].startswith("overview/")]
    path.write_text(json.dumps(manifest | {"files": files}))
    open_at(tab, address, "#/probes?scope=sentence")
    shown = tab.inner_text("main")
    assert any("/overview/" in url for url in tab.requested)
    with browsing.explored(folder) as older:
        open_at(tab, older, "#/probes?scope=sentence")
        assert tab.inner_text("main") == shown


def expect_sql(tab, export) -> None:
    """The list's query gives as many rows as the list says, the histogram's the bars."""
    tab.wait_for_load_state("networkidle")
    query = tab.text_content(".list > header .sql pre")
    assert len(queried(export, query)) == count_shown(tab)
    bars = dict(queried(export, tab.text_content(".glance header .sql pre")))
    titles = [title.text_content() for title in tab.locator(".histogram g title").all()]
    shown = dict(re.match(r"([\d.]+): ([\d,]+)$", title).groups() for title in titles)
    expected = {f"{score:.2f}": f"{n:,}" for score, n in bars.items() if score is not None}
    assert {score: n for score, n in shown.items() if n != "0"} == expected


@pytest.mark.parametrize("view", ["rejections", "arms", "spend"])
def test_each_table_says_its_query(tab, address, export, view):
    open_at(tab, address, f"#/{view}")
    queries = tab.locator(".title .sql pre").all_text_contents()
    tables = tab.locator("table").all()
    assert len(queries) >= len(tables) > 0
    # The first query of rejections gives the bars above the tables.
    for query, table in zip(queries[-len(tables) :], tables, strict=True):
        assert table.locator("tbody tr").count() == len(queried(export, query)) > 0
    assert tab.complaints == []


def test_a_reason_selects_its_rejections(tab, address, export):
    open_at(tab, address, "#/rejections")
    tab.click("text=declined")
    tab.wait_for_url(re.compile("reason=declined"))
    tab.wait_for_selector("text=No other paragraph")
    declined = "select count(*) from 'rejections/*.parquet' where rejection_reason = 'declined'"
    assert [(tab.locator("table").last.locator("tbody tr").count(),)] == queried(export, declined)


def test_dragging_over_bars_selects_their_scores(tab, address, export):
    open_at(tab, address)
    box = tab.locator(".histogram svg").bounding_box()
    y = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 4.5 / 21, y)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 7.5 / 21, y)
    tab.mouse.up()
    tab.wait_for_url(re.compile("best=20-39"))
    expect_sql(tab, export)


def test_a_probe_is_read_whole(tab, address, export):
    doc_id, slot, question, context, atom, right, wrong, doc, answers, scores = queried(
        export,
        """
        select doc_id, slot_idx::int, verbalizer_prompt, context, atom_text, target_response,
            incorrect_plausible_answer, doc, bb_answer_rollout_answers, bb_answer_rollout_scores
        from 'data/*.parquet' where scope = 'sentence' and target = 'suffix'
        order by doc_id, slot_idx limit 1
        """,
    )[0]
    open_at(tab, address, f"#/probe/1/{doc_id}/{slot}")
    assert tab.text_content("h1") == question
    assert tab.text_content(".document") == doc
    assert tab.text_content(".document .atom") == atom
    assert tab.text_content(".document .complement").strip() == context.strip()
    truth = tab.locator(".truth .passage").all_text_contents()
    assert truth == [right, wrong]
    assert tab.locator(".answers .passage").all_text_contents() == answers
    assert tab.locator(".answers .score").all_text_contents() == [f"{s:.2f}" for s in scores]
    tab.locator(".prompt summary").first.click()
    prompt = tab.locator(".prompt pre").first.text_content()
    inputs = {"verbalizer_prompt": question, "atom_text": atom, "answer": answers[0]}
    assert prompt == rendering.render("judge", {**inputs, "arm": "complement"})
    (rows,) = queried(export, tab.text_content(".right .sql pre"))
    assert question in rows


def test_a_probe_has_its_controls_and_findings(tab, address, export):
    doc_id, slot = queried(
        export,
        "select doc_id, slot_idx from 'probe_findings/*.parquet' "
        "where finding = 'unanswered_with_full_information' order by all limit 1",
    )[0]
    open_at(tab, address, f"#/probe/1/{doc_id}/{slot}")
    where = f"where doc_id = '{doc_id}' and slot_idx = {slot}"
    findings = queried(export, f"select finding from 'probe_findings/*.parquet' {where}")
    shown = tab.locator("section[aria-label=Findings] dt").all_text_contents()
    assert sorted(shown) == sorted(name.replace("_", " ") for (name,) in findings)
    controls = queried(
        export, f"select arm, answers, scores from 'control_answers/*.parquet' {where} order by arm"
    )
    parts = tab.locator("section[aria-labelledby=controls] details").all()
    for (arm, answers, scores), part in zip(controls, parts, strict=True):
        assert part.locator("summary").text_content().startswith(arm.replace("_", " "))
        assert part.locator(".passage").all_text_contents() == answers
        assert part.locator("li .score").all_text_contents() == [f"{s:.2f}" for s in scores]


def test_findings_filter_the_list(tab, address, export):
    open_at(tab, address, "#/probes?finding=typicality_overstated&finding=atom_in_complement")
    assert 0 < count_shown(tab) < 20
    expect_sql(tab, export)


def test_probes_without_findings_are_chosen_too(tab, address, export):
    open_at(tab, address, "#/probes?scope=sentence")
    tab.click("section[aria-labelledby=facet-finding] button:has-text('no finding')")
    tab.wait_for_url(re.compile(r"finding=no\+finding"))
    expect_sql(tab, export)
    without = count_shown(tab)
    assert tab.locator(".list .findings").count() == 0 < without
    # With a finding besides, those that have it come to these.
    tab.click("section[aria-labelledby=facet-finding] button:has-text('atom in complement')")
    tab.wait_for_url(re.compile("finding=atom_in_complement"))
    expect_sql(tab, export)
    assert count_shown(tab) > without


def test_an_address_has_only_what_its_view_uses(tab, address):
    open_at(tab, address, "#/probes?scope=sentence&best=0-39&page=2")
    shown = count_shown(tab)
    for view in ("rejections", "arms", "reading"):
        tab.click(f"nav >> text=/^{view}$/i")
        tab.wait_for_url(re.compile(f"#/{view}$"))
    # The list is as it was left.
    tab.click("nav >> text=/^probes$/i")
    tab.wait_for_url(re.compile("scope=sentence&best=0-39"))
    assert count_shown(tab) == shown
    # One that was shared with more loses it.
    for shared, used in (
        ("arms?scope=sentence&page=2&reason=declined", "arms"),
        ("rejections?scope=sentence&reason=declined", r"rejections\?reason=declined"),
    ):
        open_at(tab, address, f"#/{shared}")
        tab.wait_for_url(re.compile(f"#/{used}$"))


def test_a_probe_is_read_before_the_list_that_it_is_in(tab, address):
    held = {"compact": [], "overview": []}
    for folder, routes in held.items():
        tab.route(f"**/{folder}/**", lambda route, _, routes=routes: routes.append(route))
    tab.goto(address + "#/probe/1/lcet10.txt-04/10")
    tab.wait_for_selector("main >> text=Reading")
    tab.wait_for_timeout(500)
    assert held["compact"] and not held["overview"]
    for route in held["compact"]:
        route.continue_()
    tab.wait_for_selector(".answers li")
    tab.wait_for_timeout(500)
    assert held["overview"] and tab.locator(".steps").count() == 0
    for route in held["overview"]:
        route.continue_()
    tab.wait_for_selector(".steps >> text=/ of 307$/")
    assert tab.complaints == []


def test_words_of_questions_and_answers_are_searched(tab, address, export):
    open_at(tab, address, "#/probes?target=suffix")
    tab.fill("[aria-label='Words of question or answer']", "The Rabbit")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile("text=The"))
    tab.wait_for_load_state("networkidle")
    query = tab.text_content(".list > header .sql pre")
    assert 0 < len(queried(export, query)) == count_shown(tab) < 20
    assert "the rabbit" in tab.locator(".list li").last.inner_text().lower()
    # The arrows lead through what was found.
    tab.click(".list li a")
    tab.wait_for_selector(f".steps >> text=/ 1 of {len(queried(export, query))}$/")


def test_atoms_are_searched_if_that_is_asked_for(tab, address, export):
    open_at(tab, address, "#/probes?target=suffix&scope=whole&text=when+the")
    without = count_shown(tab)
    tab.check("text=also in atoms")
    tab.wait_for_url(re.compile("atoms=1"))
    tab.wait_for_load_state("networkidle")
    assert count_shown(tab) > without
    expect_sql(tab, export)


def listed(tab) -> list[tuple[str, int]]:
    """Document and slot of the probes on this page of the list."""
    tab.wait_for_load_state("networkidle")
    places = tab.locator(".list .place").all_inner_texts()
    return [(place.rpartition(", ")[0], int(place.rpartition(", ")[2])) for place in places]


def test_the_list_has_the_order_that_is_asked_for(tab, address, export):
    open_at(tab, address, "#/probes?target=suffix")
    in_files = listed(tab)
    for order in ("hardest first", "easiest first"):
        tab.select_option("[aria-label=Order]", label=order)
        tab.wait_for_url(re.compile(f"order={order.split()[0]}"))
        query = tab.text_content(".list > header .sql pre")
        rows = queried(export, query.replace("select *", "select doc_id, slot_idx::int"))
        assert listed(tab) == rows[:40] != in_files
        # The questions are those of the probes, and the arrows follow the order.
        asked = queried(export, query.replace("select *", "select verbalizer_prompt"))[:40]
        assert tab.locator(".list .question").all_inner_texts() == [text for (text,) in asked]
    tab.click(".list li:nth-child(3) a")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_selector(f".steps >> text=/ 4 of {len(rows)}$/")
    assert "/{}/{}?".format(*rows[3]) in tab.url
    open_at(tab, address, "#/probes?target=suffix&order=random&scope=sentence")
    by_chance = listed(tab)
    assert len(set(by_chance)) == 29 and by_chance != sorted(by_chance)
    tab.reload()
    assert listed(tab) == by_chance


def test_an_order_by_chance_stays_when_the_set_grows(tab, address, export, tmp_path):
    fragment = "#/probes?order=random&scope=paragraph"
    open_at(tab, address, fragment)
    grown = listed(tab)
    folder = tmp_path / "smaller"
    shutil.copytree(export, folder)
    for table in ("overview", "data"):
        (path,) = folder.glob(f"{table}/*.parquet")
        rows = pyarrow.parquet.read_table(path)
        # The places of all others change.
        left = pyarrow.compute.greater(rows["doc_id"], "lcet10.txt-03")
        pyarrow.parquet.write_table(rows.filter(left), path, write_page_index=True)
    with browsing.explored(resized(folder)) as smaller:
        open_at(tab, smaller, fragment)
        before = listed(tab)
    assert 10 < len(before) < len(grown)
    assert [place for place in grown if place in before] == before


def test_findings_are_seen_where_the_probe_is_listed_and_read(tab, address):
    open_at(tab, address, "#/probes?finding=question_quotes_answer")
    assert tab.inner_text(".list .findings") == "question quotes answer"
    tab.click(".list li a")
    assert tab.inner_text(".properties .findings") == "question quotes answer"
    # They can tell what the scores are.
    tab.click(".reading .blind")
    assert tab.locator(".findings").count() == 0


def test_going_back_leads_to_the_same_place_of_the_list(tab, address):
    open_at(tab, address, "#/probes?scope=sentence")
    link = tab.locator(".list li a").nth(30)
    link.scroll_into_view_if_needed()
    before = tab.evaluate("() => scrollY")
    link.click()
    tab.wait_for_selector(".answers")
    assert tab.evaluate("() => scrollY") == 0 < before
    # A screen reader is told what is shown now.
    assert tab.evaluate("() => document.activeElement.tagName") == "H1"
    tab.go_back()
    tab.wait_for_selector(".list .question >> text=/\\S/")
    tab.wait_for_load_state("networkidle")
    assert tab.evaluate("() => scrollY") == before
    # Another page of the list begins at the list.
    tab.click(".pages >> text=Next")
    tab.wait_for_selector("text=Page 2")
    assert abs(tab.locator("#selected").bounding_box()["y"]) < 5


def test_a_file_that_cannot_be_read_is_named(tab, export, tmp_path):
    folder = tmp_path / "truncated"
    shutil.copytree(export, folder)
    for table in ("probe_findings", "units", "compact"):
        (path,) = folder.glob(f"{table}/*.parquet")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with browsing.explored(resized(folder)) as address:
        open_at(tab, address)
        # What does not need it is shown all the same.
        assert count_shown(tab) == 307
        assert "probe_findings/train-round-0001.parquet cannot be read" in tab.inner_text(
            ".failure"
        )
        open_at(tab, address, "#/probe/1/lcet10.txt-04/10")
        failures = " ".join(tab.locator(".failure").all_inner_texts())
        for table in ("probe_findings", "units", "compact"):
            assert f"{table}/train-round-0001.parquet cannot be read" in failures
        manifest = (folder / "manifest.json").read_text()
        (folder / "manifest.json").write_text(f"<{manifest[1:]}")
        tab.reload()
        tab.wait_for_selector("text=manifest.json is not that of a data set")


def test_siblings_and_readers_of_the_text_are_beside_a_probe(tab, address, export):
    doc_id, slot, atom = queried(
        export,
        "select doc_id, slot_idx::int, atom_text from 'data/*.parquet' "
        "where scope = 'lens' and target = 'suffix' order by length(atom_text) desc limit 1",
    )[0]
    continuations, doc = queried(
        export,
        f"""
        select list_transform(continuations, lambda c: c.continuation), doc, prefix
        from 'siblings/*.parquet' join 'compact/*.parquet' using (doc_id)
        where doc_id = '{doc_id}'
        """,
    )[0][:2]
    others = [text.lstrip() for text in continuations if not doc.endswith(text)]
    open_at(tab, address, f"#/probe/1/{doc_id}/{slot}")
    tab.click(".beside >> text=Siblings")
    tab.wait_for_selector(".siblings .passage")
    assert tab.locator(".siblings .passage").all_text_contents() == others
    words = set(re.findall(r"\w{5,}", atom.lower()))
    recurring = {word.lower() for word in tab.locator(".siblings mark").all_text_contents()}
    assert recurring <= words
    assert recurring >= {word for word in words if any(f" {word} " in text for text in others)}
    readers = queried(
        export,
        "select reader, printf('%.2f', atom_value) from 'text_readers/*.parquet' "
        f"where doc_id = '{doc_id}' and slot_idx = {slot} order by reader, measure",
    )
    tab.click(".beside >> text=Local models and rules")
    rows = tab.locator(".beside tbody tr")
    rows.first.wait_for()
    cells = [row.locator("td").all_text_contents() for row in rows.all()]
    assert [(cell[0], cell[2]) for cell in cells] == readers
    assert tab.complaints == []


def test_answers_of_methods_are_beside_a_probe(tab, export, tmp_path):
    folder = tmp_path / "answered"
    shutil.copytree(export, folder)
    (path,) = folder.glob("method_answers/*.parquet")
    rows = pyarrow.parquet.read_table(path)
    key = {"round_number": 1, "doc_id": "lcet10.txt-04", "slot_idx": 10, "oracle": HOSTILE}
    answered = {"condition": "real_state", "answers": [HOSTILE, "Rain."], "score_mean": 0.45}
    planted = pyarrow.Table.from_pylist([key | answered], rows.schema)
    pyarrow.parquet.write_table(planted, path)
    with browsing.explored(resized(folder)) as address:
        open_at(tab, address, "#/probe/1/lcet10.txt-04/10")
        tab.click(".beside >> text=Answers of methods")
        tab.wait_for_selector(".beside .answers li")
        shown = tab.inner_text(".beside .answers")
        assert "0.45" in shown and "real state" in shown and "Rain." in shown
        assert shown.count("<script>") == 2
        assert "owned" not in tab.title() and tab.complaints == []


def test_hostile_siblings_move_nothing(tab, export, tmp_path):
    folder = tmp_path / "hostile"
    shutil.copytree(export, folder)
    (path,) = folder.glob("siblings/*.parquet")
    rows = pyarrow.parquet.read_table(path)
    planted = rows.to_pylist()
    siblings = next(row for row in planted if row["doc_id"] == "lcet10.txt-04")
    siblings["continuations"][-1]["continuation"] = LONG_LINE
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(planted, rows.schema), path)
    with browsing.explored(resized(folder)) as address:
        open_at(tab, address, "#/probe/1/lcet10.txt-04/10")
        tab.click(".beside >> text=Siblings")
        tab.wait_for_selector(".siblings .more")
        shown = tab.text_content(".siblings section:last-child")
        assert "<script>" in shown and "U+202E" in shown and len(shown) < 50_000
        assert tab.locator("main script, main img, main [onerror]").count() == 0
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= 1280
        assert "owned" not in tab.title() and tab.complaints == []


def test_marks_and_scores_of_a_reader_land(tab, address, export, demo_once, tmp_path):
    doc_id, slot, scores = queried(
        export,
        """
        select doc_id, slot_idx::int, bb_answer_rollout_scores
        from 'data/*.parquet' where scope = 'sentence' order by doc_id, slot_idx limit 1
        """,
    )[0]
    open_at(tab, address, f"#/probe/1/{doc_id}/{slot}")
    tab.click(".reading >> text=leaks")
    tab.fill("[aria-label=Note]", f"=1+1, {HOSTILE}")
    tab.click(".reading .blind")
    # Nothing on the page tells the scores.
    assert tab.locator(".band, .slots .hard, .slots .easy").count() == 0
    assert not {f"{score:.2f}" for score in scores} & set(tab.inner_text("main").split())
    for number, field in enumerate(tab.locator(".own-score").all()):
        field.fill(str(number / 4))
    tab.locator(".own-score").first.fill("7")
    tab.locator(".own-score").last.press("Tab")
    # All of it is there after the browser has been closed.
    tab.reload()
    tab.wait_for_selector(".own-score")
    values = [field.input_value() for field in tab.locator(".own-score").all()]
    assert values == ["0", "0.25", "0.5", "0.75", "1"]
    tab.click("nav >> text=Reading")
    tab.wait_for_selector("text=1 marked probe")
    assert "<script>" in tab.inner_text("main") and "U+202E" in tab.inner_text("main")
    person = copy_of(demo_once, tmp_path / "checkout")
    landings = (
        ("marks", 1, ("latent-probes", "land-marks")),
        ("scores", 5, ("latent-probes", "land-ratings")),
    )
    for kind, n, command in landings:
        with tab.expect_download() as waiting:
            tab.click(f"text=Download {kind}")
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        said = person.runs(*command, str(path), "--rater", "anna")
        assert f"landed {n} of {n} {kind}" in said
    assert tab.complaints == []
    person.runs("latent-probes", "status")
    ((mark, note),) = person.query("select mark, note from probe_marks")
    assert (mark, note) == ("leaks", f"=1+1, {HOSTILE}".strip())
    assert ("leaks", 1) in person.query(
        "select mark, n_found_and_marked + n_others_marked from finding_marks"
    )
    ratings = "select score, other_score from score_pairs where comparison = 'human'"
    assert sorted(person.query(ratings)) == sorted(
        zip(scores, (0, 0.25, 0.5, 0.75, 1), strict=True)
    )
    # What is removed on the page is withdrawn where it has landed.
    tab.go_back()
    tab.click(".reading >> text=leaks")
    tab.fill("[aria-label=Note]", "")
    tab.click("nav >> text=Reading")
    tab.wait_for_selector("text=also withdraws 1")
    with tab.expect_download() as waiting:
        tab.click("text=Download marks")
    waiting.value.save_as(path)
    assert "landed 1 of 1 marks" in person.runs(
        "latent-probes", "land-marks", str(path), "--rater", "anna"
    )
    person.runs("latent-probes", "status")
    assert person.query("select * from probe_marks") == []


def test_what_the_browser_cannot_keep_is_there_until_it_is_downloaded(chromium, address):
    context = chromium.new_context()
    context.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); };"
    )
    tab = context.new_page()
    open_at(tab, address, "#/probe/1/lcet10.txt-04/12")
    assert tab.locator(".unkept").count() == 0
    for slot, mark in ((10, "good"), (11, "leaks")):
        tab.click(f".slots a >> text=/^{slot}$/")
        tab.wait_for_selector(f".slots [aria-current] >> text=/^{slot}$/")
        tab.click(f".reading >> text={mark}")
        assert "does not keep" in tab.inner_text(".reading .unkept")
    tab.click(".slots a >> text=/^10$/")
    tab.wait_for_selector(".reading [aria-pressed=true] >> text=good")
    with tab.expect_download() as waiting:
        tab.click(".reading >> text=Download marks")
    marks = duckdb.sql(f"select mark from read_csv('{waiting.value.path()}')").fetchall()
    assert sorted(marks) == [("good",), ("leaks",)]
    # Leaving the page asks first.
    asked = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    tab.close(run_before_unload=True)
    tab.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    context.close()


def test_what_another_page_left_in_the_browser_is_not_taken_for_marks(tab, address):
    open_at(tab, address, "#/probe/1/lcet10.txt-04/10")
    tab.click(".reading >> text=good")
    for left in ("[" * 1000, '{"marks": {"p": 1}, "ratings": {}, "isBlind": true}', "null"):
        tab.evaluate("left => localStorage.setItem(Object.keys(localStorage)[0], left)", left)
        tab.reload()
        tab.wait_for_selector(".reading")
        assert tab.locator(".reading [aria-pressed=true]").count() == 0
    assert tab.complaints == []


def test_the_leaderboard_shows_places_and_intervals(tab, export, tmp_path):
    folder = tmp_path / "ranked"
    shutil.copytree(export, folder)
    (path,) = folder.glob("oracle_leaderboard/*.parquet")
    rows = pyarrow.parquet.read_table(path)
    ranked = {"is_headline": True, "scope": "all", "target": "suffix", "fold": "all", "n_hard": 70}
    ranked["is_baseline"] = False
    figures = {"headline": 0.2, "headline_low": 0.1, "headline_high": 0.3, "hard_score": 0.5}
    methods = [
        {**ranked, "oracle": "second", "no_place_reason": "no_state_missing"},
        {**ranked, **figures, "oracle": HOSTILE, "place": 1},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(methods, rows.schema), path)
    with browsing.explored(resized(folder)) as address:
        open_at(tab, address)
        tab.click("nav >> text=Leaderboard")
        tab.wait_for_selector("table")
        cells = tab.locator("tbody tr").first.locator("td").all_text_contents()
        assert cells[0] == "1" and cells[1].startswith("<script>")
        assert cells[2:] == ["+0.20", "+0.10 to +0.30", "", "70", "0.50"]
        assert tab.locator("tbody tr").last.locator("td").nth(2).inner_text() == "no state missing"
        best = tab.inner_text(".note.best")
        assert best.endswith(
            "has the first place of 1 method. Its headline is +0.20 (95 % interval +0.10 to +0.30)."
        )
        assert tab.complaints == []


def test_a_leaderboard_without_methods_says_how_to_evaluate_one(tab, address):
    open_at(tab, address, "#/leaderboard")
    assert "latent-probes evaluate" in tab.inner_text("main")
    assert tab.locator("table").count() == 0


def test_sentences_and_paragraphs_are_shown_as_they_were_cut(tab, address, export):
    doc_id = "lcet10.txt-04"
    doc, prefix_length, sentences, paragraphs = queried(
        export,
        f"""
        select doc, prefix_length, sentences, paragraphs
        from 'compact/*.parquet' join 'units/*.parquet' using (doc_id) where doc_id = '{doc_id}'
        """,
    )[0]
    open_at(tab, address, f"#/probe/1/{doc_id}/10")
    assert tab.text_content(".document") == doc
    tab.click("text=Sentences and paragraphs")
    starts = {prefix_length: ["source model"]}
    for kind, units in (("s", sentences), ("p", paragraphs)):
        for number, unit in enumerate(units, 1):
            starts.setdefault(unit["starts_at"], []).insert(0, f"{kind}{number}")
    names = [" ".join(starts[start]) for start in sorted(starts)]
    assert tab.locator(".document .unit").all_text_contents() == names


def test_all_slots_of_a_document_are_shown_also_rejected_ones(tab, address, export):
    doc_id, slot, reason = queried(
        export,
        "select doc_id, slot_idx, reason_declined from 'rejections/*.parquet' "
        "where reason_declined is not null order by all limit 1",
    )[0]
    open_at(tab, address, f"#/probe/1/{doc_id}/{slot}")
    assert tab.locator(".slots a").count() == 16
    assert reason in tab.inner_text(".right")


def test_arrow_keys_lead_through_the_list(tab, address):
    open_at(tab, address, "#/probes?scope=paragraph")
    hrefs = [link.get_attribute("href") for link in tab.locator(".list li a").all()]
    tab.click(".list li a")
    tab.wait_for_selector(".answers")
    document = hrefs[1].split("/")[3]
    other = next(number for number, href in enumerate(hrefs) if href.split("/")[3] > document)
    keys = ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Shift+ArrowRight", other)
    for key, number in keys:
        tab.keyboard.press(key)
        tab.wait_for_selector(f".steps >> text=/ {number + 1} of /")
        assert tab.url.endswith(hrefs[number])


def test_the_next_document_is_read_before_it_is_asked_for(tab, export, tmp_path):
    folder = tmp_path / "large"
    shutil.copytree(export, folder)
    (path,) = folder.glob("compact/*.parquet")
    rows = pyarrow.parquet.read_table(path).to_pylist()
    schema = pyarrow.parquet.read_schema(path)
    # Far from each other in a file that is not read whole.
    for row in rows:
        row["doc_choice_rationale"] = f"{row['doc_id']} " * 30_000
    large = pyarrow.Table.from_pylist(rows, schema)
    settings = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pyarrow.parquet.write_table(
        large, path, row_group_size=1, write_page_index=True, data_page_size=4096, **settings
    )
    with browsing.explored(resized(folder)) as address:
        open_at(tab, address, "#/probe/1/lcet10.txt-00/10?scope=sentence")
        tab.wait_for_selector(".answers")
        tab.wait_for_timeout(600)
        tab.wait_for_load_state("networkidle")
        before = list(tab.requested)
        tab.keyboard.press("Shift+ArrowRight")
        tab.wait_for_function("() => document.title.startsWith('lcet10.txt-01')")
        tab.wait_for_selector(".truth")
        assert [url for url in tab.requested[len(before) :] if "/compact/" in url] == []


def test_the_selection_is_downloaded_as_ids(tab, address, export):
    open_at(tab, address, "#/probes?scope=whole")
    with tab.expect_download() as waiting:
        tab.click("text=Download ids")
    ids = queried(
        export,
        "select 1, doc_id, slot_idx::int from 'data/*.parquet' where scope = 'whole' order by all",
    )
    assert queried(export, f"from read_csv('{waiting.value.path()}')") == ids


@pytest.fixture
def planted(export, tmp_path):
    """A copy of the export in which the texts of the first written probe are hostile."""
    folder = tmp_path / "planted"
    shutil.copytree(export, folder)
    changed = {
        **dict.fromkeys(("verbalizer_prompt", "incorrect_plausible_answer"), HOSTILE),
        **dict.fromkeys(("target_response", "synergy_check", "source"), HOSTILE),
    }
    (path,) = folder.glob("data/*.parquet")
    rows = pyarrow.parquet.read_table(path)
    planted = rows.to_pylist()
    probe = next(row for row in planted if row["scope"] == "sentence")
    key = probe["doc_id"], int(probe["slot_idx"])
    probe.update(changed)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(planted, rows.schema), path)
    (path,) = folder.glob("compact/*.parquet")
    rows = pyarrow.parquet.read_table(path)
    planted = rows.to_pylist()
    document = next(row for row in planted if row["doc_id"] == key[0])
    document["doc"] += HOSTILE
    document["doc_choice_rationale"] = HOSTILE
    probe = next(probe for probe in document["probes"] if probe["slot_idx"] == key[1])
    probe.update(changed, answers=[LONG_LINE, *[HOSTILE] * 4])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(planted, rows.schema), path)
    return folder, f"#/probe/1/{key[0]}/{key[1]}"


def test_hostile_texts_move_nothing(tab, planted):
    folder, fragment = planted
    with browsing.explored(resized(folder)) as address:
        open_at(tab, address, "#/probes?scope=sentence")
        open_at(tab, address, fragment)
        assert "owned" not in tab.title()
        shown = tab.text_content("h1")
        assert "<script>document.title = 'owned'</script><img src=x" in shown
        for name in ("U+202E", "U+202C", "U+0000", "U+200B"):
            assert name in shown
        assert not set("\u202e\0\u200b") & set(tab.text_content("body"))
        assert tab.locator("main script, main img, main iframe, main [onerror]").count() == 0
        assert tab.locator("main a[href^=javascript]").count() == 0
        # A line of a million characters is shown in part, and does not widen the page.
        assert len(tab.text_content("body")) < 200_000
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= 1280
        tab.locator("button.more").first.click()
        assert len(tab.text_content("body")) > 1_000_000
        here = urlsplit(address).netloc
        assert {urlsplit(url).netloc for url in tab.requested if "data:" not in url} == {here}
        assert tab.context.cookies() == [] and tab.complaints == []


def resized(folder):
    """The folder with the sizes of its files in its manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        file["bytes"] = (folder / file["path"]).stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_policy_stops_a_script_that_is_inserted_all_the_same(tab, address):
    open_at(tab, address)
    blocked = tab.evaluate(
        """() => {
            try {
                document.body.innerHTML = "<img src=x onerror=\\"document.title = 'owned'\\">";
            } catch (error) {
                return error.name;
            }
        }"""
    )
    assert blocked == "TypeError"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(chromium, address, scheme, width):
    size = {"width": width, "height": 844}
    context = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    tab = context.new_page()
    for fragment in VIEWS:
        open_at(tab, address, fragment)
        for summary in tab.locator(".beside > summary").all():
            summary.click()
        tab.wait_for_load_state("networkidle")
        tab.add_script_tag(path=AXE)
        found = tab.evaluate("async () => (await axe.run()).violations")
        serious = [
            (rule["id"], rule["nodes"][0]["html"])
            for rule in found
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], fragment
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
        assert tab.locator("main, header.masthead, footer, nav").count() >= 3
    context.close()


def test_the_exported_page_works_in_any_folder_of_a_plain_server(tab, export, tmp_path):
    place = tmp_path / "some" / "where"
    place.parent.mkdir()
    place.symlink_to(export)
    with browsing.plainly_served(tmp_path) as address:
        open_at(tab, f"{address}/some/where/explore/", "#/probe/1/lcet10.txt-04/10")
        assert tab.locator(".answers li").count() == 5
        assert tab.complaints == []


def test_a_space_has_the_page_at_its_root(tab, demo_once, tmp_path):
    with StandInHub() as hub:
        person = demo_once.reading_from(hub)
        person.variables.update(HF_TOKEN=hub.token, HF_HUB_DISABLE_XET="1")
        person.runs("latent-probes", "push", "--space", "owner/explorer", "--allow-baseline")
        files = hub.repositories["spaces/owner/explorer"].at("main").files
    for name, file in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    with browsing.plainly_served(tmp_path) as address:
        open_at(tab, f"{address}/", "#/probe/1/lcet10.txt-04/10")
        assert tab.locator(".answers li").count() == 5
        licences = tab.get_attribute(".foot a", "href")
        assert urlsplit(licences).path == "/explore/licences.txt"
        assert tab.complaints == []
