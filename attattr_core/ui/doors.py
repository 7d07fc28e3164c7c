"""What the server does not do for anybody, whatever Gradio offers, and how uploads end that break off."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils, route_utils, routes
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response

# Deep links write what a visitor sees to a file that stays, for others to open; recordings are cut by ffmpeg.
_CLOSED = ("/deep_link", "/process_recording")
# Whoever asks for the file of another server's address would have this one fetch it.
_FETCHED = re.compile(r"/(file[=/]\s*https?:|proxy=)", re.IGNORECASE)
_UPLOAD = "/upload"  # Gradio itself limits the files in it


class ClosedDoors:
    """Refuses what Gradio offers on every page and this one has no use for, and calls that would fill the memory."""

    def __init__(self, app: Any, *, max_bytes: int) -> None:
        """Stands before an ASGI application.

        Args:
            app: The application.
            max_bytes: Largest body of a request but an upload, which is written to the disk as it comes.
        """
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""
        if scope["type"] != "http" or scope["path"].rstrip("/").endswith(_UPLOAD):
            return await self._app(scope, receive, send)
        await (self._refuse(scope) or self._app)(scope, self._counting(receive), send)

    def _refuse(self, scope: Any) -> Response | None:
        if scope["path"].rstrip("/").endswith(_CLOSED) or _FETCHED.search(scope["path"]):
            return PlainTextResponse("Not found", 404)
        n_bytes = int(Headers(scope=scope).get("content-length") or 0)
        if n_bytes > self._max_bytes:
            taken = f"up to {self._max_bytes:,} are taken here"
            return JSONResponse({"detail": f"The call has {n_bytes:,} bytes, and {taken}: upload a file."}, 413)
        return None

    def _counting(self, receive: Any) -> Any:
        """Ends a body that did not say how long it is, where it is too long."""
        n_bytes = 0

        async def count() -> Any:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            return message if n_bytes <= self._max_bytes else {"type": "http.disconnect"}

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
    """Gradio's reader of uploads, which removes what it has written where one breaks off."""

    async def parse(self) -> Any:
        """Reads an upload to its end."""
        try:
            return await super().parse()
        except BaseException:  # the disk is full, or the visitor has left
            for file in self._files_to_close_on_error:
                with suppress(OSError):
                    file.close()
                Path(file.name).unlink(missing_ok=True)
            raise


def close_doors() -> None:
    """Puts the two in place of Gradio's own."""
    processing_utils.async_ssrf_protected_download = refuse_address
    route_utils.GradioMultiPartParser = routes.GradioMultiPartParser = TidyUploads
