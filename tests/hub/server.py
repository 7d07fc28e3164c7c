"""A small Hub on loopback: models and data sets behind redirects, byte ranges, and every fault that tests ask for."""

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

GOOD_TOKEN = "hf_allowed"
_BINARY = (".safetensors", ".bin", ".model", ".parquet")
_CHUNK = 1 << 16


@dataclass
class Repository:
    """What the server has of one model or data set, and how it misbehaves.

    Attributes:
        folders: Content by commit.
        refs: Commits by branch or tag.
        gated: Whether files need the token of somebody who accepted the terms.
        disabled: Whether the metadata says so.
        renamed_to: Where it went.
        errors: Statuses that the next metadata requests are answered with.
        delay: Seconds before metadata is answered.
        drip: Whether metadata comes a byte at a time.
        listing_cuts: After how many bytes the next metadata break off.
        file_errors: Statuses that the next requests for that file are answered with.
        cuts: After how many bytes the next answers with that file break off.
        stalls: After how many bytes the next answers with that file go no further, until the client leaves.
        contents: What is served in place of a file.
        pause: Seconds between two pieces of a large file.
        metadata: What the metadata says otherwise.
    """

    folders: dict[str, Path] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    disabled: bool = False
    renamed_to: str = ""
    errors: list[int] = field(default_factory=list)
    delay: float = 0
    drip: bool = False
    listing_cuts: list[int] = field(default_factory=list)
    file_errors: dict[str, list[int]] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    stalls: dict[str, list[int]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    pause: float = 0
    metadata: dict = field(default_factory=dict)


class HubServer(ThreadingHTTPServer):
    """Serves folders as models, and as data sets those whose names begin with ``datasets/``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name: str, folder: Path, *, ref: str = "main", **options) -> Repository:
        """Serves a folder as the commit that a branch is at; the commit follows from the content."""
        model = self.models.setdefault(name, Repository())
        digest = hashlib.sha1(name.encode())
        for path in sorted(folder.rglob("*")):
            digest.update(path.name.encode() + (path.read_bytes() if path.is_file() else b""))
        model.folders[digest.hexdigest()] = folder
        model.refs[ref] = digest.hexdigest()
        for option, value in options.items():
            setattr(model, option, value)
        return model

    def list_paths(self, start: str = "") -> list[str]:
        return [path for _, path, _ in self.requests if path.startswith(start)]

    def handle_error(self, *_) -> None:
        """Clients that hang up are what the tests are about."""


def describe_file(folder: Path, path: Path) -> dict:
    content = path.read_bytes()
    entry = {
        "rfilename": path.relative_to(folder).as_posix(),
        "size": len(content),
        "blobId": compute_etag(path, False),
    }
    if path.suffix in _BINARY:
        entry["lfs"] = {"size": len(content), "sha256": compute_etag(path, True), "pointerSize": 134}
    return entry


def quote_all(text: str) -> str:
    return quote(text, safe="")


def compute_etag(path: Path, is_large: bool) -> str:
    content = path.read_bytes()
    if is_large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *_) -> None:
        pass

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def _route(self) -> None:
        path = urlsplit(self.path).path
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.requests.append((self.command, self.path, headers))
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "api" and parts[1:2] in (["models"], ["datasets"]):
            place = next((i for i, part in enumerate(parts) if part in ("revision", "tree")), len(parts))
            self._answer_metadata("/".join(parts[2 if parts[1] == "models" else 1 : place]), parts[place:])
        elif parts[0] == "cdn":
            place = parts.index("at")
            self._send_file("/".join(parts[1:place]), parts[place + 1], "/".join(parts[place + 2 :]))
        elif "resolve" in parts:
            place = parts.index("resolve")
            self._redirect("/".join(parts[:place]), parts[place + 1], "/".join(parts[place + 2 :]))
        else:
            self._refuse(404, "RepoNotFound", "Repository not found")

    def _answer_metadata(self, name: str, rest: list[str]) -> None:
        model = self.server.models.get(name)
        if model is None:
            has_token = "Authorization" in self.headers
            return self._refuse(404 if has_token else 401, "RepoNotFound", "Invalid username or password.")
        if model.errors:
            return self._refuse(model.errors.pop(0), "", "", {"Retry-After": "30"})
        if model.renamed_to:
            kind = "" if name.startswith("datasets/") else "models/"
            location = "/".join([f"/api/{kind}{model.renamed_to}", *map(quote_all, rest)])
            return self._send(307, b"", {"Location": location + "?" + urlsplit(self.path).query})
        time.sleep(model.delay)
        sha = self._find_commit(model, rest[1] if rest else "main")
        if sha is None:
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        folder = model.folders[sha]
        files = [describe_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]
        if rest[:1] == ["tree"]:
            tree = [{"type": "file", "path": entry["rfilename"], "oid": entry["blobId"], **entry} for entry in files]
            return self._send(200, json.dumps(tree).encode())
        public = name.removeprefix("datasets/")
        answer = {"_id": "1", "id": public, "modelId": public, "sha": sha, "siblings": files, "private": False}
        answer |= {"gated": "manual" if model.gated else False, "disabled": model.disabled} | model.metadata
        cut = model.listing_cuts.pop(0) if model.listing_cuts else None
        return self._send(200, json.dumps(answer).encode(), cut=cut, pause=0.3 if model.drip else 0, n_piece=8)

    @staticmethod
    def _find_commit(model: Repository, revision: str) -> str | None:
        sha = model.refs.get(revision, revision)
        return sha if sha in model.folders else None

    def _redirect(self, name: str, revision: str, file_name: str) -> None:
        """Large files lie on another host, which must not get the token; small ones on this one."""
        model = self.server.models.get(name)
        if model is None:
            return self._refuse(404, "RepoNotFound", "Repository not found")
        token = self.headers.get("Authorization", "")
        if model.gated and token != f"Bearer {GOOD_TOKEN}":
            return self._refuse(403 if token else 401, "GatedRepo", "Access to this model is restricted.")
        sha = self._find_commit(model, revision)
        path = model.folders[sha] / file_name if sha else None
        if path is None or not path.is_file():
            return self._refuse(404, "EntryNotFound", "Entry not found")
        is_large = path.suffix in _BINARY
        host = f"http://localhost:{self.server.server_port}" if is_large else ""
        etag = compute_etag(path, is_large)
        headers = {"X-Repo-Commit": sha, "ETag": f'"{etag}"', "Location": f"{host}/cdn/{name}/at/{sha}/{file_name}"}
        headers |= {"X-Linked-Size": str(path.stat().st_size), "X-Linked-Etag": f'"{etag}"'}
        return self._send(302 if is_large else 307, b"", headers)

    def _send_file(self, name: str, sha: str, file_name: str) -> None:
        model = self.server.models[name]
        path = model.folders[sha] / file_name
        content = model.contents.get(file_name, path.read_bytes() if path.is_file() else b"")
        etag = compute_etag(path, path.suffix in _BINARY)
        if model.file_errors.get(file_name):
            return self._refuse(model.file_errors[file_name].pop(0), "", "", {"Retry-After": "30"})
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if start and start >= len(content):
            return self._refuse(416, "", "", {"Content-Range": f"bytes */{len(content)}"})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut, stall = (
            places[file_name].pop(0) if places.get(file_name) else None for places in (model.cuts, model.stalls)
        )
        return self._send(206 if start else 200, content[start:], headers, cut=cut, stall=stall, pause=model.pause)

    def _refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        headers = dict(headers or {}) | ({"X-Error-Code": code} if code else {})
        self._send(status, b"", headers | ({"X-Error-Message": message} if message else {}))

    def _send(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        *,
        cut: int | None = None,
        stall: int | None = None,
        pause: float = 0,
        n_piece: int = _CHUNK,
    ) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = stall if cut is None else cut
        sent = content if cut is None else content[:cut]
        for start in range(0, len(sent), n_piece):
            self.wfile.write(sent[start : start + n_piece])
            time.sleep(pause)
        if stall is not None:
            self.wfile.flush()
            self.rfile.read(1)  # until the client hangs up
        if cut is not None:
            self.close_connection = True
