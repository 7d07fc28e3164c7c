"""What the server does not do for anybody, whatever Gradio offers, and how uploads end that break off."""

import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils, route_utils, routes
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, PlainTextResponse, Response

# Deep links write what a visitor sees to a file that stays, for others to open; recordings are cut by ffmpeg; functions
# of components are called past every limit.
_CLOSED = ("/deep_link", "/process_recording", "/component_server")
# Whoever asks for the file of another server's address would have this one fetch it.
_FETCHED = re.compile(r"/(file[=/]\s*https?:|proxy=)", re.IGNORECASE)
_UPLOAD = "/gradio_api/upload"
_MOST_PARTS = 500_000  # of a call: reading them all takes a second or two, in which nobody else is served
_ENVELOPE = 1_000_000  # bytes of an upload around its file


class ClosedDoors:
    """Refuses what Gradio offers on every page and this one has no use for, and requests that would fill the memory."""

    def __init__(self, app: Any, *, max_bytes: int, max_upload_bytes: int) -> None:
        """Stands before an ASGI application.

        Args:
            app: The application.
            max_bytes: Largest body of a request but an upload.
            max_upload_bytes: Largest uploaded file; it is written to the disk as it comes.
        """
        self._app, self._max_bytes, self._max_upload = app, max_bytes, max_upload_bytes + _ENVELOPE

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/")
        n_bytes = int(Headers(scope=scope).get("content-length") or 0)
        if path.endswith(_CLOSED) or _FETCHED.search(path):
            answer = PlainTextResponse("Not found", 404)
        elif path == _UPLOAD:
            if n_bytes <= self._max_upload:
                return await self._app(scope, _count(receive, self._max_upload), send)
            answer = _refuse(f"The upload has {n_bytes:,} bytes, and up to {self._max_upload - _ENVELOPE:,} are taken.")
        elif n_bytes > self._max_bytes:
            answer = self._refuse_size(f"{n_bytes:,}")
        else:
            body = await self._read(receive)
            if body is None:
                return None
            if isinstance(body, bytes):
                return await self._app(scope, _repeat(body, receive), send)
            answer = body
        await answer(scope, receive, send)

    async def _read(self, receive: Any) -> bytes | Response | None:
        """Reads a body; gives an answer where it is too much, and None where the sender has left."""
        chunks, n_bytes, n_parts = [], 0, 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            chunks.append(message.get("body", b""))
            n_bytes, n_parts = n_bytes + len(chunks[-1]), n_parts + sum(map(chunks[-1].count, (b"[", b"{", b",")))
            if n_bytes > self._max_bytes:
                return self._refuse_size(f"more than {self._max_bytes:,}")
            if n_parts > _MOST_PARTS:
                return _refuse(f"The call has more than {_MOST_PARTS:,} values, too many: upload a file.")
            if not message.get("more_body"):
                return b"".join(chunks)

    def _refuse_size(self, size: str) -> Response:
        return _refuse(f"The call has {size} bytes, and up to {self._max_bytes:,} are taken here: upload a file.")


def _refuse(sentence: str) -> Response:
    return JSONResponse({"detail": sentence}, 413)


def _repeat(body: bytes, receive: Any) -> Any:
    """Gives a body that was read once more."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def repeat() -> Any:
        return left.pop() if left else await receive()

    return repeat


def _count(receive: Any, most: int) -> Any:
    """Ends an upload that did not say how long it is, where it is too long."""
    n_bytes = 0

    async def count() -> Any:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        return message if n_bytes <= most else {"type": "http.disconnect"}

    return count


async def refuse_address(url: str, cache_dir: str) -> str:
    """Stands for what would fetch an address that is given in place of a file, however large it is.

    Raises:
        gr.Error: Always.
    """
    raise gr.Error(
        f"{url[:80]!r} is an address, which is not fetched here: download the file, then upload it.",
        print_exception=False,
    )


class TidyUploads(route_utils.GradioMultiPartParser):
    """Gradio's reader of uploads, which keeps each in a folder of its own and removes those that break off.

    Gradio names folders after their files' content: then whoever has the same file could take it from its owner.
    """

    def on_headers_finished(self) -> None:
        """Begins a part."""
        super().on_headers_finished()
        if self._current_part.file is None:  # it would be held in memory, and nobody asks for any
            raise MultiPartException("What was uploaded is no file, or has no name: give it one.")
        self._current_part.file.sha.update(secrets.token_bytes(16))

    async def parse(self) -> Any:
        """Reads an upload to its end."""
        try:
            return await super().parse()
        except BaseException:  # the disk is full, or the visitor has left
            for file in self._files_to_close_on_error:
                with suppress(OSError):
                    file.close()
                Path(file.name).unlink(missing_ok=True)
            if self.upload_progress is not None:
                self.upload_progress.set_done(self.upload_id)
            raise


def close_doors() -> None:
    """Puts the two in place of Gradio's own."""
    processing_utils.async_ssrf_protected_download = refuse_address
    route_utils.GradioMultiPartParser = routes.GradioMultiPartParser = TidyUploads
