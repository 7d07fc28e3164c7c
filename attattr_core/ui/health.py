"""``/healthz``: whether the server works and how busy it is, without a model, without torch, and for everybody."""

import os
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from attattr_core.triggers.versions import list_versions
from attattr_core.ui.line import find_line
from attattr_core.ui.work import find_cache

PATH = "/healthz"


def build_health_route() -> Route:
    """Builds the route; uptime counts from here."""
    started, versions = time.monotonic(), list_versions()

    async def answer(_: Request) -> JSONResponse:
        content = {
            "status": "ok",
            "versions": versions,
            "uptime_seconds": round(time.monotonic() - started, 1),
            **_count_jobs(),
            **_list_models(),
        }
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    return Route(PATH, answer, methods=["GET", "HEAD"])


def _count_jobs() -> dict[str, int]:
    turns = find_line().list_turns()
    n_waiting = sum(turn.waits for turn in turns)
    return {"queue_length": n_waiting, "running": len(turns) - n_waiting}


def _list_models() -> dict[str, Any]:
    keys = find_cache().list_keys()
    names = ["a folder" if os.path.isabs(key.name) else key.name for key in keys]
    devices = sorted({key.device for key in keys}) or [os.environ.get("ATTATTR_DEVICE") or "auto"]
    return {"models": names, "device": ", ".join(devices)}
