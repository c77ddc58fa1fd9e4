"""The Hub's own client in this process, turned to a stand-in."""

from __future__ import annotations

import os

from huggingface_hub import constants


def be_new(monkeypatch, folder) -> None:
    """Let the client know of no token and no file, and keep what it comes to know in a folder."""
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))


def ask(monkeypatch, address: str) -> None:
    """Let the client take this address for the Hub, as HF_ENDPOINT does before it is loaded."""
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
