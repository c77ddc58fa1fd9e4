"""What each table was made of, so that only what would change is made again.

A node is made of its statement, of the code behind the functions, and of the content of its
parents. Tables whose content comes out as it was leave all that reads them as it is.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

import duckdb

from latent_probes.common import files, sql
from latent_probes.common.home import Home
from latent_probes.warehouse import stamps
from latent_probes.warehouse.compilation import CompiledProject, Node


class Versions:
    """The content of each table of a warehouse, and what each node and each test was made of.

    Whoever else writes to the warehouse does not say what changed: then nothing is known.
    """

    def __init__(self, home: Home, project: CompiledProject, landed: dict[str, str]) -> None:
        self.home, self.project = home, project
        self.code = stamps.code_hash()
        self.landed = landed
        self.contents: dict[str, str] = {}
        self.made_of: dict[str, str] = {}
        with suppress(OSError, ValueError, KeyError):
            noted = json.loads(home.versions.read_text(encoding="utf-8"))
            if noted["warehouse"] == files.same_database(home.warehouse):
                self.contents, self.made_of = noted["contents"], noted["made_of"]

    def save(self) -> None:
        """Keep what is known until the next build; the warehouse must be closed."""
        noted = {
            "warehouse": files.same_database(self.home.warehouse),
            "contents": self.contents,
            "made_of": self.made_of,
        }
        with files.atomic_write(self.home.versions) as partial:
            partial.write_text(json.dumps(noted), encoding="utf-8")

    def are_those_of(self, node: Node) -> bool:
        """Whether a node would be made of what it was made of last, or a test has passed on it."""
        # The files of a tokenizer are not the project's.
        has_outside = "tokenizer_version(" in node.news
        return not has_outside and self.made_of.get(node.name) == self.of(node)

    def forget(self, node: Node) -> None:
        """Forget a node that is about to be made, in case that is interrupted."""
        self.made_of.pop(node.name, None)
        self.contents.pop(node.name, None)

    def note(self, node: Node, made_of: str, connection: duckdb.DuckDBPyConnection) -> None:
        """Note that a node was just made, or that a test has passed, on what ``of`` was before."""
        if node.kind in ("seed", "table"):
            # Both or none, if it is interrupted here.
            self.contents[node.name] = content(connection, node.name)
        self.made_of[node.name] = made_of

    def of(self, node: Node) -> str:
        """A hash of what a node is made of."""
        read = [self.version(parent) for parent in node.parents]
        if node.kind == "seed":
            read.append(files.hash_of(self.project.seeds / f"{node.name}.csv"))
        queries = [node.statement, node.news, node.key, node.followed_by, node.failures]
        return digest([self.code, *queries, node.columns, read])

    def version(self, name: str) -> str | None:
        """The content of a table or, of a view, what it was made of and the versions it reads."""
        if name.startswith("landing."):
            return self.landed.get(name.removeprefix("landing."))
        node = self.project.nodes[name]
        if node.kind != "view":
            return self.contents.get(name)
        # It was made of what it read then, and reads what is there now.
        return digest([self.made_of.get(name), *map(self.version, node.parents)])


def digest(values: list) -> str:
    """A hash of some values."""
    return hashlib.md5(json.dumps(values).encode(), usedforsecurity=False).hexdigest()


def content(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """A table's columns, its number of rows and the sum of their hashes.

    The last value is in the hash of a row by an exclusive or. By another one over the rows, equal
    changes of two rows would cancel.
    """
    name = sql.identifier(table)
    columns = [tuple(row[:2]) for row in connection.execute(f"describe {name}").fetchall()]
    # Without its text, a nested value has the hash of others: [] that of null.
    nested = ("[]", "STRUCT(", "MAP(", "UNION(")
    values = [
        f"{sql.identifier(column)}{'::varchar' if any(sign in kind for sign in nested) else ''}"
        for column, kind in columns
    ]
    counted = connection.execute(
        f"select count(*), sum(hash({', '.join(values)}, 0)) from {name}"
    ).fetchone()
    return str([columns, counted])
