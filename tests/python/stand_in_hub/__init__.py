"""A stand-in for the Hub on this machine: data sets that are read through its own client.

    with StandInHub() as hub:
        commit = hub.create("owner/name").commit({"data/a.parquet": content})
        hub.plan("reset", at="content", after=1000)

``repositories`` keeps data sets as commits, ``server`` speaks HTTP, fails on command and logs.
"""

from stand_in_hub.repositories import Repository
from stand_in_hub.server import Request, StandInHub

__all__ = ["Repository", "Request", "StandInHub"]
