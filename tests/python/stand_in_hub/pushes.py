"""What a client does to push: make a data set, send large files, commit."""

from __future__ import annotations

import base64
import hashlib
import json
from fnmatch import fnmatch

from stand_in_hub.repositories import LARGE_SIZE, LARGE_SUFFIXES, File, Repository


def path_of(name: str) -> str:
    """The path of a repository's page."""
    return name if name.startswith("spaces/") else f"datasets/{name}"


class Pushes:
    """The part of the Hub that is written to. Everything asks for the token."""

    def writable(self, name: str) -> Repository:
        """The data set, for somebody who may write to it."""
        if not self.given_token:
            raise self.refused(401, "Invalid username or password.")
        found = self.repository(name)
        if found.is_read_only:
            raise self.refused(403, "You have no right to write to it.")
        return found

    def create(self) -> None:
        """POST /api/repos/create."""
        asked = json.loads(self.body)
        if self.given_token != self.hub.token:
            raise self.refused(401, "Invalid username or password.")
        name = f"{asked['organization']}/{asked['name']}"
        first = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}
        if asked["type"] == "space":
            name = f"spaces/{name}"
            first["README.md"] = f"---\nsdk: {asked['sdk']}\n---\n".encode()
        if name in self.hub.repositories:
            raise self.refused(409, "You already created this dataset repo")
        made = self.hub.create(name, is_private=asked.get("visibility") == "private")
        # As the Hub does.
        made.commit(first)
        self.send(200, {"url": f"{self.hub.address}/{path_of(name)}", "name": name})

    def validate(self) -> None:
        """POST /api/validate-yaml: the header of the card."""
        self.send(200, {"errors": [], "warnings": []})

    def preupload(self, name: str, revision: str) -> None:
        """POST /api/datasets/NAME/preupload/REVISION: which files are large."""
        there = self.writable(name).at(revision)
        answer = []
        asked = json.loads(self.body)
        ignored = there.files.get(".gitignore") if there else None
        patterns = asked.get("gitIgnore", ignored.content.decode() if ignored else "").split()
        for file in asked["files"]:
            path = file["path"]
            is_large = path.endswith(LARGE_SUFFIXES) or file["size"] > LARGE_SIZE
            known = there.files.get(path) if there else None
            answer.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if is_large else "regular",
                    "shouldIgnore": any(fnmatch(path, pattern) for pattern in patterns),
                    "oid": known.etag if known else None,
                }
            )
        self.send(200, {"files": answer})

    def batch(self, name: str) -> None:
        """POST /datasets/NAME.git/info/lfs/objects/batch: where to send what is not here yet."""
        self.writable(name)
        objects = []
        for asked in json.loads(self.body)["objects"]:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.store:
                href = f"{self.hub.store_address}/{asked['oid']}/put?signature=s"
                answer["actions"] = {"upload": {"href": href}}
            objects.append(answer)
        self.send(200, {"transfer": "basic", "objects": objects})

    def commit_files(self, name: str, revision: str) -> None:
        """POST /api/datasets/NAME/commit/REVISION: all of it, or nothing."""
        repository = self.writable(name)
        lines = [json.loads(line) for line in self.body.splitlines()]
        parent = lines[0]["value"].get("parentCommit")
        self.hub.before_commit(repository)
        there = repository.at(revision)
        if parent is not None and parent != there.sha:
            raise self.refused(412, "A commit has happened since. Please refresh and try again.")
        contents = {path: file.content for path, file in there.files.items()}
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                contents[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.hub.store:
                    raise self.refused(400, f"LFS pointer to nothing: {value['path']}")
                contents[value["path"]] = self.hub.store[value["oid"]].content
            elif line["key"] == "deletedFile":
                del contents[value["path"]]
            else:
                raise ValueError(line["key"])
        sha = repository.commit(contents, revision)
        if self.fault and self.fault.fault == "lost":
            raise self.refused(self.fault.status, "The answer was lost.")
        url = f"{self.hub.address}/{path_of(name)}/commit/{sha}"
        self.send(200, {"commitUrl": url, "commitOid": sha, "success": True})


class Uploads:
    """The part of the store that is written to."""

    def upload(self, sha256: str, name: str) -> None:
        """PUT a large file. It is kept only if it is whole, and what its name says."""
        length = int(self.headers["content-length"])
        fault = self.fault
        if fault and fault.fault == "reset":
            self.hub.received += len(self.rfile.read(min(fault.after, length)))
            self.status = 0
            self.reset()
            raise ConnectionResetError
        content = self.rfile.read(length)
        self.hub.received += len(content)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self.refused(400, "These are other bytes.")
        self.hub.store[sha256] = File(f"{name}.parquet", content)
        self.begin(200, {"content-length": 0})
