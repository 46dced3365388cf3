"""What a small Hugging Face Hub knows and answers: repositories, LFS objects, users. No sockets.

Everything is in memory, with the object ids that git and LFS would give.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

import yaml

LICENSES = {"apache-2.0", "cc-by-4.0", "mit", "other"}
LFS_SUFFIXES = (".safetensors", ".png", ".tgz")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SPACE_FIELDS = {
    "title": bool,
    "sdk": lambda sdk: sdk in ("gradio", "docker", "static"),
    "colorFrom": lambda color: color in COLORS,
    "colorTo": lambda color: color in COLORS,
    "short_description": lambda text: len(text or "") <= 60,
}
"""What the Hub checks in the front matter of a Space."""


@dataclass(frozen=True)
class File:
    content: bytes
    lfs: bool
    sha256: str
    git_oid: str

    @classmethod
    def make(cls, path: str, content: bytes) -> File:
        lfs, sha256 = path.endswith(LFS_SUFFIXES), hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\n"
        blob = f"{pointer}size {len(content)}\n".encode() if lfs else content
        git_oid = hashlib.sha1(b"blob %d\0%s" % (len(blob), blob)).hexdigest()
        return cls(content, lfs, sha256, git_oid)

    @property
    def oid(self) -> str:
        """What the client compares to see whether a file changed."""
        return self.sha256 if self.lfs else self.git_oid


@dataclass(frozen=True)
class Commit:
    oid: str
    message: str
    changed: tuple[str, ...]
    files: dict[str, File]


@dataclass
class Repo:
    private: bool = False
    commits: list[Commit] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)  # of a Space

    def commit(self, message: str, changed: dict[str, File], deleted: Set[str] = frozenset()):
        before = self.commits[-1] if self.commits else Commit("", "", (), {})
        files = {path: f for path, f in {**before.files, **changed}.items() if path not in deleted}
        described = [before.oid, message, sorted((path, f.git_oid) for path, f in files.items())]
        oid = hashlib.sha1(json.dumps(described).encode()).hexdigest()
        self.commits.append(Commit(oid, message, tuple(sorted({*changed, *deleted})), files))
        return self.commits[-1]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str | None]
    body: bytes


class RefusedError(Exception):
    """Answered with an HTTP error; ``code`` is the Hub's X-Error-Code."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


Answer = tuple[int, dict[str, object], bytes]


def _address(key: str) -> str:
    """Where a repository is on the site; models have no prefix."""
    return key.removeprefix("models/")


def as_json(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


class HubState:
    """Answers requests; it wants a token before it changes anything or shows what is private."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.users: dict[str, str] = {}  # token -> user, who may write to repositories user/*
        self.repos: dict[str, Repo] = {}  # "models/user/name", "datasets/..", "spaces/.."
        self.objects: dict[str, bytes] = {}  # LFS, by SHA-256
        self.lock = threading.Lock()

    def put(self, repo: str, path: str, content: bytes) -> None:
        """A file that was always there."""
        self.repos.setdefault(repo, Repo()).commit("put", {path: File.make(path, content)})

    def answer(self, request: Request) -> Answer:
        routes = {
            r"POST /api/repos/create": self._create,
            r"POST /api/validate-yaml": self._validate_yaml,
            r"POST /api/((?:models|spaces)/[^/]+/[^/]+)/preupload/main": self._preupload,
            r"POST /((?:spaces/)?[^/]+/[^/]+)\.git/info/lfs/objects/batch": self._lfs_batch,
            r"PUT /lfs/(\w+)": self._lfs_put,
            r"POST /lfs/(\w+)/verify": self._lfs_verify,
            r"POST /api/((?:models|spaces)/[^/]+/[^/]+)/commit/main": self._commit,
            r"GET /api/((?:models|spaces)/[^/]+/[^/]+)(?:/revision/([^/]+))?": self._info,
            r"GET /api/((?:models|spaces)/[^/]+/[^/]+)/tree/([^/]+)": self._tree,
            r"(?:GET|POST|DELETE) /api/(spaces/[^/]+/[^/]+)/variables": self._variables,
            r"(?:GET|HEAD) /((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)": self._resolve,
        }
        for pattern, route in routes.items():
            if match := re.fullmatch(pattern, f"{request.method} {request.path}"):
                return route(request, *match.groups())
        raise RefusedError(404, "", f"no route {request.method} {request.path}")

    def _user(self, request: Request) -> str | None:
        return self.users.get((request.headers["Authorization"] or "").removeprefix("Bearer "))

    def _check_may_write(self, request: Request, owner: str) -> None:
        if self._user(request) is None:
            raise RefusedError(401, "", "Invalid username or password.")
        if self._user(request) != owner:
            raise RefusedError(403, "", f"You don't have the rights to write to {owner}")

    def _repo(self, request: Request, key: str, write: bool = False) -> Repo:
        repo, user, owner = self.repos.get(key), self._user(request), key.split("/")[1]
        if repo is None or (repo.private and user != owner):
            raise RefusedError(404 if user else 401, "RepoNotFound", "Repository not found")
        if write:
            self._check_may_write(request, owner)
        return repo

    def _commit_at(self, request: Request, key: str, revision: str | None) -> Commit:
        for commit in reversed(self._repo(request, key).commits):
            if revision in (None, "main", commit.oid):
                return commit
        raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def _create(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        repo_id = f"{asked['organization']}/{asked['name']}"
        self._check_may_write(request, asked["organization"])
        space = asked.get("type") == "space"
        if space and asked.get("sdk") not in ("gradio", "docker", "static"):
            raise RefusedError(400, "", "sdk is not valid")
        key = f"{'spaces' if space else 'models'}/{repo_id}"
        answer = {"url": f"{self.endpoint}/{_address(key)}"}
        if key in self.repos:
            return as_json({**answer, "error": "You already created this repo"}, 409)
        repo = self.repos[key] = Repo(asked.get("visibility") == "private")
        made = [".gitattributes", "README.md"] if space else []
        repo.commit("initial commit", {path: File.make(path, b"by the Hub") for path in made})
        return as_json(answer)

    def _variables(self, request: Request, key: str) -> Answer:
        variables = self._repo(request, key, write=True).variables
        asked = json.loads(request.body or "{}")
        if request.method == "POST":
            variables[asked["key"]] = asked["value"]
        elif request.method == "DELETE":
            variables.pop(asked["key"])
        return as_json({name: {"key": name, "value": value} for name, value in variables.items()})

    def _validate_yaml(self, request: Request) -> Answer:
        content = json.loads(request.body)["content"]
        block = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        try:
            data = yaml.safe_load(block[1]) if block else {}
            bad = [k for k in ("tags", "datasets") if not isinstance(data.get(k, []), list)]
            bad += ["license"] if data.get("license", "other") not in LICENSES else []
            if json.loads(request.body).get("repoType") == "space":
                bad += [name for name, good in SPACE_FIELDS.items() if not good(data.get(name))]
        except (yaml.YAMLError, AttributeError):
            bad = ["front matter"]
        errors = [{"message": f"{name} is not valid"} for name in bad]
        return as_json({"errors": errors, "warnings": []}, 400 if errors else 200)

    def _preupload(self, request: Request, key: str) -> Answer:
        files, answer = self._repo(request, key, write=True).commits[-1].files, []
        for path in (file["path"] for file in json.loads(request.body)["files"]):
            mode = "lfs" if path.endswith(LFS_SUFFIXES) else "regular"
            oid = files[path].oid if path in files else None
            answer.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return as_json({"files": answer})

    def _lfs_batch(self, request: Request, repo_id: str) -> Answer:
        key = repo_id if repo_id.startswith("spaces/") else f"models/{repo_id}"
        self._repo(request, key, write=True)
        objects = json.loads(request.body)["objects"]
        for item in objects:
            if item["oid"] not in self.objects:
                href = f"{self.endpoint}/lfs/{item['oid']}"
                item["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
        return as_json({"transfer": "basic", "objects": objects})

    def _lfs_put(self, request: Request, oid: str) -> Answer:
        if hashlib.sha256(request.body).hexdigest() != oid:
            raise RefusedError(400, "", "the content does not have this SHA-256")
        self.objects[oid] = request.body
        return as_json({})

    def _lfs_verify(self, request: Request, oid: str) -> Answer:
        if len(self.objects.get(oid, b"")) != json.loads(request.body)["size"]:
            raise RefusedError(404, "", "no such object")
        return as_json({})

    def _commit(self, request: Request, key: str) -> Answer:
        repo, header, changed = self._repo(request, key, write=True), {}, {}
        deleted = set()
        for line in map(json.loads, request.body.splitlines()):
            kind, value = line["key"], line["value"]
            if kind == "header":
                header = value
            elif kind == "file":
                content = base64.b64decode(value["content"])
                changed[value["path"]] = File.make(value["path"], content)
            elif kind == "deletedFile" and value["path"] in repo.commits[-1].files:
                deleted.add(value["path"])
            elif kind == "lfsFile" and value["oid"] in self.objects:
                changed[value["path"]] = File.make(value["path"], self.objects[value["oid"]])
            else:
                raise RefusedError(400, "", f"cannot commit {kind} {value['path']}")
        with self.lock:
            head = repo.commits[-1].oid
            if header.get("parentCommit", head) != head:
                raise RefusedError(412, "", "A commit has happened since. Please refresh.")
            commit = repo.commit(header["summary"], changed, deleted)
        url = f"{self.endpoint}/{_address(key)}/commit/{commit.oid}"
        return as_json({"success": True, "commitUrl": url, "commitOid": commit.oid})

    def _info(self, request: Request, key: str, revision: str | None) -> Answer:
        commit, private = self._commit_at(request, key, revision), self.repos[key].private
        siblings = [{"rfilename": path} for path in commit.files]
        repo_id = key.partition("/")[2]
        return as_json({"id": repo_id, "sha": commit.oid, "private": private, "siblings": siblings})

    def _tree(self, request: Request, key: str, revision: str) -> Answer:
        entries = []
        for path, file in sorted(self._commit_at(request, key, revision).files.items()):
            size = len(file.content)
            entries.append({"type": "file", "path": path, "size": size, "oid": file.git_oid})
            if file.lfs:
                entries[-1]["lfs"] = {"oid": file.sha256, "size": size, "pointerSize": 134}
        return as_json(entries)

    def _resolve(self, request: Request, repo_id: str, revision: str, path: str) -> Answer:
        key = repo_id if repo_id.startswith("datasets/") else f"models/{repo_id}"
        commit = self._commit_at(request, key, revision)
        if path not in commit.files:
            raise RefusedError(404, "EntryNotFound", f"{path} does not exist")
        file = commit.files[path]
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.oid}"', "Accept-Ranges": "bytes"}
        if file.lfs:
            headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": len(file.content)}
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers["Range"] or "")
        if not asked:
            return 200, headers, file.content
        start, size = int(asked[1]), len(file.content)
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        return 206, headers, file.content[start:]
