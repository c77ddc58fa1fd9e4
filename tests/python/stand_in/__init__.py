"""A stand-in for the Anthropic API on this machine, for tests and for trying things without a key.

    with StandIn() as server:
        client = anthropic.Anthropic(api_key=server.key, base_url=server.address)
        server.plan("reset after commit")

As a process of its own: ``python tests/python/stand_in --port 0``, which prints its address first.

``checks`` says what is refused, ``answers`` what comes back, ``faults`` what goes wrong on command,
``service`` keeps the batches, ``ledger`` what there is to assert, ``server`` speaks HTTP.
"""

from stand_in.ledger import Ledger
from stand_in.server import StandIn

__all__ = ["Ledger", "StandIn"]
