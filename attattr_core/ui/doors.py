"""What the server does not do for anybody, whatever Gradio offers."""

import re
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response

SECONDS_KEPT = 3600  # how long files that visitors upload or have made are kept


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
