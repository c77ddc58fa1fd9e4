"""A browser of this machine, driven by Playwright, and servers of what it reads."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from latent_probes.explorer import server, sources

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Chromium asks for nothing by itself, and runs as root.
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


def executable() -> str:
    """The browser, or that in the variable BROWSER_EXECUTABLE; raises if there is none."""
    found = os.environ.get("BROWSER_EXECUTABLE") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if not found:
        raise RuntimeError(
            "no Chromium was found: install it (Debian: apt-get install chromium), or set "
            "BROWSER_EXECUTABLE"
        )
    return found


@contextlib.contextmanager
def browser(*arguments: str) -> Iterator:
    """A browser of Playwright, started with these arguments besides."""
    from playwright.sync_api import sync_playwright

    path = executable()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *arguments])
        try:
            yield opened
        finally:
            opened.close()


@contextlib.contextmanager
def running(served: http.server.HTTPServer) -> Iterator[str]:
    """Serve from a thread; yield the address of the server."""
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        thread.join()


@contextlib.contextmanager
def explored(folder: Path) -> Iterator[str]:
    """The address of the page of a data set in a folder, as `explore` serves it."""
    with server.started(sources.folder(folder), 0) as served, running(served):
        yield served.address


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without ranges."""

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def plainly_served(folder: Path) -> Iterator[str]:
    """The address of a folder, served by Python's own server, which knows no ranges."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served,
        running(served) as address,
    ):
        yield address
