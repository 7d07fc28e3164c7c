"""``/healthz``: whether the server works and how busy it is, without a model, without torch, and for everybody."""

import os
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from attattr_core.triggers.versions import list_versions
from attattr_core.ui.work import find_cache

PATH = "/healthz"


def build_health_route() -> Route:
    """Builds the route; uptime counts from here."""
    started, versions = time.monotonic(), list_versions()

    async def answer(request: Request) -> JSONResponse:
        content = {
            "status": "ok",
            "versions": versions,
            "uptime_seconds": round(time.monotonic() - started, 1),
            **_count_jobs(request.app.get_blocks()),
            **_list_models(),
        }
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    return Route(PATH, answer, methods=["GET", "HEAD"])


def _count_jobs(app: Any) -> dict[str, int]:
    queue = app._queue
    return {"queue_length": len(queue), "running": sum(events is not None for events in queue.active_jobs)}


def _list_models() -> dict[str, Any]:
    keys = find_cache().list_keys()
    names = ["a folder" if os.path.isabs(key.name) else key.name for key in keys]
    devices = sorted({key.device for key in keys}) or [os.environ.get("ATTATTR_DEVICE") or "auto"]
    return {"models": names, "device": ", ".join(devices)}
