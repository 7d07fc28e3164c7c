"""What the server does not do for anybody, whatever Gradio offers, and how uploads end that break off."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils, route_utils, routes
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from attattr_core.errors import is_disk_error
from attattr_core.ui.refusing import describe_full_disk

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


async def explain_full_disk(_: Request, error: Exception) -> PlainTextResponse:
    """Answers a request, most likely an upload, for which the disk has no room.

    Raises:
        OSError: What the system says otherwise.
    """
    if not is_disk_error(error):
        raise error
    return PlainTextResponse(describe_full_disk(error.strerror), 507)


async def answer_nobody(_: Request, __: Exception) -> PlainTextResponse:
    """Ends a request of somebody who has left in the midst of it; the log need not know."""
    return PlainTextResponse("", 499)


def close_doors() -> None:
    """Puts the two in place of Gradio's own."""
    processing_utils.async_ssrf_protected_download = refuse_address
    route_utils.GradioMultiPartParser = routes.GradioMultiPartParser = TidyUploads
