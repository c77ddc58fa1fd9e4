"""Processes that ask the requests of a batch, to be killed and interrupted.

A server forks them, which has imported the SDK: that takes seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from latent_probes.providers.anthropic_messages import AnthropicMessages


def start(said: Path, *arguments) -> BaseProcess:
    """Start to ask; what the process says on stderr goes to a file."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["anthropic", AnthropicMessages.__module__])
    process = context.Process(target=ask, args=(dict(os.environ), said, *arguments))
    process.start()
    return process


def ask(environment: dict[str, str], said: Path, spool: Path, in_flight: int, batch_id, results):
    """Ask with this environment, and not with that of the server."""
    os.environ.clear()
    os.environ.update(environment)
    sys.stderr = said.open("w", buffering=1)
    AnthropicMessages(spool, in_flight).download(batch_id, results)
