"""A tab of the page without a browser: it speaks to the server as the page's own scripts do."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from gradio_client.utils import apply_diff

API = "/gradio_api"


class RefusedError(Exception):
    """The server declined in a sentence of its own."""


class FailedError(Exception):
    """Anything else that is no answer."""


@dataclass(frozen=True)
class Page:
    """What the server says of its page: its components, and its events by what they begin with."""

    components: dict[int, dict[str, Any]]
    events: list[dict[str, Any]]

    @classmethod
    def read(cls, config: dict[str, Any]) -> "Page":
        """Reads the configuration that the browser gets."""
        return cls({part["id"]: part for part in config["components"]}, config["dependencies"])

    def name(self, number: int) -> str:
        """Names a component by its element's id, or by its type."""
        part = self.components[number]
        return part["props"].get("elem_id") or part["type"]

    def find(self, element: str, event: str) -> dict[str, Any]:
        """Finds what an element's event runs on the server."""
        return next(
            dependency
            for dependency in self.events
            for target, kind in dependency["targets"]
            if target in self.components and (self.name(target), kind) == (element, event) and dependency["outputs"]
        )

    def find_filler(self, output: str, given: str) -> dict[str, Any]:
        """Finds a queued event that fills an element first and is given another one."""
        for dependency in self.events:
            outputs, inputs = ([self.name(one) for one in dependency[part]] for part in ("outputs", "inputs"))
            if outputs[:1] == [output] and given in inputs and dependency["queue"]:
                return dependency
        raise LookupError(f"nothing fills {output} from {given}")

    def find_value(self, element: str) -> Any:
        """Finds what an element shows at first."""
        return next(
            part["props"].get("value") for part in self.components.values() if part["props"].get("elem_id") == element
        )


@dataclass
class Tab:
    """One tab, with a session of its own.

    Attributes:
        http: The connection to the server.
        page: What is on it.
        session: What names the tab for the server.
        said: The sentences about waiting that it was told.
    """

    http: httpx.AsyncClient
    page: Page
    session: str = field(default_factory=lambda: secrets.token_hex(5))
    said: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(cls, http: httpx.AsyncClient, page: Page) -> AsyncIterator["Tab"]:
        """Opens a tab; it shows the server that it is there until it is closed, as a browser does."""
        tab = cls(http, page)
        beat = asyncio.create_task(tab._beat())
        try:
            yield tab
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await beat

    async def _beat(self) -> None:
        async with self.http.stream("GET", f"{API}/heartbeat/{self.session}") as answer:
            async for _ in answer.aiter_bytes():
                pass

    async def begin(self, event: dict[str, Any], given: dict[str, Any] | None = None, data: Any = None) -> str:
        """Starts an event.

        Args:
            event: From the page.
            given: Values by element; the others have those that the page begins with.
            data: What a component's own event tells.

        Returns:
            What names the run.
        """
        given = given or {}
        parts = [self.page.components[number] for number in event["inputs"]]
        values = [
            None if part["type"] == "state" else given.get(part["props"].get("elem_id"), part["props"].get("value"))
            for part in parts
        ]
        body = {"data": values, "fn_index": event["id"], "session_hash": self.session, "event_data": data}
        answer = await self.http.post(f"{API}/queue/join", json=body)
        if answer.status_code == 503:
            raise RefusedError(f"Gradio: {answer.json()['detail'].split('.')[0]}")
        if answer.status_code != 200:
            raise FailedError(f"{answer.status_code} from the queue")
        return answer.json()["event_id"]

    async def listen(self, run: str) -> AsyncIterator[list[Any]]:
        """Hears what comes of a run: its outputs after each step."""
        outputs: list[Any] | None = None
        async with self.http.stream("GET", f"{API}/queue/data", params={"session_hash": self.session}) as answer:
            async for line in answer.aiter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("event_id") != run:
                    if message.get("msg") == "unexpected_error":
                        raise FailedError(str(message.get("message"))[:200])
                    continue
                if message["msg"] == "process_generating" and message["success"]:
                    fresh = message["output"]["data"]
                    outputs = list(fresh) if outputs is None else [*map(apply_diff, outputs, fresh)]
                    yield outputs
                elif message["msg"] == "process_completed":
                    if not message["success"]:
                        raise FailedError(str(message["output"].get("error") or "an error without words")[:200])
                    if outputs is None:
                        yield message["output"].get("data", [])
                    return
        raise FailedError("the connection was closed before the end")

    async def stop(self, event: dict[str, Any], run: str) -> None:
        """Cancels a run."""
        body = {"session_hash": self.session, "fn_index": event["id"], "event_id": run}
        (await self.http.post(f"{API}/cancel", json=body)).raise_for_status()

    async def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Uploads a file; gives the value of its field."""
        answer = await self.http.post(f"{API}/upload", files={"files": (name, content)})
        if answer.status_code != 200:
            raise FailedError(f"{answer.status_code} from an upload")
        return {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def read(value: Any) -> dict[str, Any]:
    """Reads a component's JSON; an empty dictionary where nothing is new or nothing is there."""
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else {}
