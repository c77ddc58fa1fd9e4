"""README, docs and CONTRIBUTING: short, linked, and true about files and tables."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT
from test_rooms import ROOMS

README = (ROOT / "README.md").read_text()
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").glob("*.md"))]
TOP = ("bench", "docs", "macros", "models", "python", "sample", "seeds", "tests")
PATH = re.compile(rf"(?<![\w/.])(?:{'|'.join(TOP)})/[\w./-]*\w/?")
MAX_WORDS = 900


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_is_short():
    assert len(README.split()) <= MAX_WORDS


def test_every_page_is_in_the_list_of_pages():
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "README.md").read_text()))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert "(docs/README.md)" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name) if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page):
    text = re.sub(r"```text\n.*?```", "", page.read_text(), flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "", text)
    missing = [
        path for path in PATH.findall(text) if not (ROOT / path).exists() and "NAME" not in path
    ]
    assert missing == []


def test_every_recipe_in_python_is_run_by_a_test():
    tests = "".join(
        path.read_text()
        for path in (ROOT / "tests" / "python").glob("test_*.py")
        if "```python" in path.read_text() and path != Path(__file__)
    )
    for page in PAGES:
        assert "```python" not in page.read_text() or page.name in tests, page.name


def test_the_inspect_command_names_parameters_of_the_task():
    source = (ROOT / "python/latent_probes/evaluation/inspect_task.py").read_text()
    (task,) = re.findall(r"def written_probes\((.*?)\) ->", source, re.DOTALL)
    for name in re.findall(r"-T (\w+)=", (ROOT / "docs/oracles.md").read_text()):
        assert re.search(rf"\b{name}: ", task), name


def test_each_example_of_contributing_names_its_files():
    examples = re.split(r"^### ", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)[1:]
    assert len(examples) >= 10
    for example in examples:
        assert PATH.search(example), example.splitlines()[0]


def test_every_table_of_the_map_is_a_model():
    models = {path.stem for path in (ROOT / "models").rglob("*.sql")}
    rows = re.findall(r"^\| .* \| `(\w+)` \|$", (ROOT / "docs/tables.md").read_text(), re.MULTILINE)
    assert len(rows) >= 30
    assert set(rows) - models == set()


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_a_page_names_the_folders_of_models_in_their_order(page):
    text = (ROOT / page).read_text()
    listed = re.sub(r"\n[a-z].*", "", text[text.index("models/\n") :].split("```")[0], flags=re.S)
    top = list(dict.fromkeys(room.split("/")[0] for room in ROOMS))
    below = [room.split("/")[1] for room in ROOMS if "/" in room]
    for indent, names in ((2, top), (4, below)):
        assert re.findall(rf"^ {{{indent}}}(\w+)/", listed, re.MULTILINE) == names


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_a_page_names_the_packages_in_the_order_of_their_layers(page):
    layers = re.search(r"layers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    names = re.findall(r'"(\w+)"', layers[1])
    text = (ROOT / page).read_text()
    marks = [f"  {name}/" if page == "README.md" else f"| `{name}` |" for name in names]
    start = text.index("python/latent_probes/\n") if page == "README.md" else 0
    places = [text.index(mark, start) for mark in marks]
    assert all(one < other for one, other in pairwise(places))


def test_every_folder_of_the_tree_exists():
    tree = README[README.index("## The tree") :].split("```")[1]
    above = {0: ROOT}
    for line in tree.splitlines():
        if found := re.match(r"( *)([\w/]+)/", line):
            depth = len(found[1]) // 2
            above[depth + 1] = above[depth] / found[2]
            assert above[depth + 1].is_dir(), line
