"""What the server does not do for anybody, whatever Gradio offers."""

from typing import Any

from starlette.responses import PlainTextResponse

SECONDS_KEPT = 3600  # how long files that visitors upload or have made are kept


# Deep links write what a visitor sees to a file that stays, for others to open; recordings are cut by ffmpeg.
_CLOSED = ("/deep_link", "/process_recording")


class ClosedDoors:
    """Refuses what Gradio offers on every page and this one has no use for."""

    def __init__(self, app: Any) -> None:
        """Stands before an ASGI application."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""
        is_refused = scope["type"] == "http" and scope["path"].rstrip("/").endswith(_CLOSED)
        await (PlainTextResponse("Not found", 404) if is_refused else self._app)(scope, receive, send)
