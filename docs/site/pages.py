"""The Markdown pages of the project as HTML, and a check of their links."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = ("*.md", "docs/*.md", "bench/*/*.md", "sample/*.md")
PICTURES = Path("docs/images")
# Folders that are made by other programs.
TABLES, COLUMNS = "tables/index.html", "columns/index.html"
IS_ABSOLUTE = re.compile(r"[a-z]+:|//")


def sources() -> list[Path]:
    """The Markdown pages, relative to the project, in the order of their names."""
    found = [path for pattern in SOURCES for path in sorted(ROOT.glob(pattern))]
    return [path.relative_to(ROOT) for path in found]


def page_of(source: Path) -> Path:
    """The page of a Markdown file, relative to the site: a README is the index of its folder."""
    return source.with_name("index.html" if source.name == "README.md" else f"{source.stem}.html")


def write(site: Path) -> list[Path]:
    """Write every page into the folder ``site``; return the paths of the pages."""
    template = jinja2.Environment(
        autoescape=True, loader=jinja2.FileSystemLoader(HERE), undefined=jinja2.StrictUndefined
    ).get_template("page.html.jinja")
    written = []
    for source in sources():
        title, body = rendered((ROOT / source).read_text(encoding="utf-8"))
        page = site / page_of(source)
        page.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (len(source.parts) - 1)
        html = template.render(title=title, body=body, up=up, tables=TABLES, columns=COLUMNS)
        page.write_text(html, encoding="utf-8")
        written.append(page)
    shutil.copytree(ROOT / PICTURES, site / PICTURES, dirs_exist_ok=True)
    style = (HERE / "style.css").read_text(encoding="utf-8")
    (site / "style.css").write_text(style + code_style(), encoding="utf-8")
    return written


def rendered(text: str) -> tuple[str, str]:
    """Title and HTML of a Markdown text; HTML in the text is shown as text."""
    markdown = MarkdownIt("commonmark", {"html": False, "highlight": highlighted}).enable("table")
    tokens = markdown.parse(text)
    anchors: dict[str, int] = {}
    title = ""
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = plain(tokens[place + 1])
            title = title or heading
            token.attrSet("id", anchor(heading, anchors))
        for inner in token.children or []:
            if inner.type == "link_open":
                inner.attrSet("href", target(str(inner.attrGet("href"))))
    return title, str(markdown.renderer.render(tokens, markdown.options, {}))


def plain(heading: Token) -> str:
    """The text of a heading, without its markup."""
    return "".join(token.content for token in heading.children or [])


def anchor(heading: str, used: dict[str, int]) -> str:
    """The name of a heading, as forges make it; equal headings of a page are numbered."""
    name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    used[name] = used.get(name, -1) + 1
    return f"{name}-{used[name]}" if used[name] else name


def target(address: str) -> str:
    """Where a link of a page leads: a Markdown file's page, or the same address."""
    path, mark, place = address.partition("#")
    if IS_ABSOLUTE.match(address) or not path.endswith(".md"):
        return address
    return page_of(Path(path)).as_posix() + mark + place


def highlighted(code: str, language: str, _: str) -> str:
    """The HTML of a block of code."""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return escape(code)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def code_style() -> str:
    """Colours of code, on a light and on a dark ground."""
    light, dark = map(token_colours, ("default", "github-dark"))
    return f"\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def token_colours(style: str) -> str:
    """Rules of a style of Pygments, without its ground: that is the page's."""
    rules = HtmlFormatter(style=style).get_style_defs("pre").splitlines()
    return "\n".join(rule for rule in rules if rule.startswith("pre ."))


class Links(HTMLParser):
    """The addresses that a page refers to, and the names of its places."""

    def __init__(self, page: Path):
        super().__init__()
        self.addresses: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.addresses.append(value)
            elif name == "id" and value:
                self.places.add(value)


def broken_links(pages: list[Path], made_later: set[Path] = frozenset()) -> Iterator[str]:
    """Links between pages that lead nowhere, one message each.

    ``made_later`` are files that need not exist yet.
    """
    found = {page.resolve(): Links(page) for page in pages}
    for page, links in found.items():
        for address in links.addresses:
            if IS_ABSOLUTE.match(address):
                continue
            parts = urlsplit(address)
            aim = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if aim in {path.resolve() for path in made_later}:
                continue
            if not aim.is_file():
                yield f"{page.name}: {address} leads to no file"
            elif parts.fragment and aim in found and parts.fragment not in found[aim].places:
                yield f"{page.name}: {address} leads to no heading"
