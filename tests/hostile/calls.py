"""Calls by plain HTTP, as any program may make them; bodies may be what no client sends."""

import json
import secrets
from typing import Any

import httpx
from hostile.strategies import check_sentence

_SECONDS = 300


class Server:
    """The app of the tests, and what it has to answer to everything: an answer, or a sentence."""

    def __init__(self, url: str) -> None:
        """Looks up which events there are."""
        self.url = url
        self.client = httpx.Client(timeout=_SECONDS)
        self.config = self.client.get(f"{url}config").json()

    def post(self, path: str, body: Any) -> httpx.Response:
        """Posts bytes as they are, anything else as JSON with all that Python writes into it."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            f"{self.url}gradio_api/{path}", content=content, headers={"Content-Type": "application/json"}
        )

    def call(self, path: str, body: Any) -> Any:
        """Calls an endpoint by its name; gives its last answer, or None where a sentence refused it."""
        started = self.post(path, body)
        if started.status_code != 200:
            self.check_refusal(started)
            return None
        event_id = started.json()["event_id"]
        stream = self.client.get(f"{self.url}gradio_api/call/{path.rpartition('/')[2]}/{event_id}").text
        event, data = stream.strip().split("\n\n")[-1].split("\n", 1)
        content = json.loads(data.removeprefix("data: "))
        if event == "event: complete":
            return content
        assert event == "event: error", stream
        check_sentence(content["error"])
        return None

    def fire(self, fn_index: int, data: list[Any], *, event_data: Any = None, session: str | None = None) -> Any:
        """Fires an event as the page does; gives its values, or None where a sentence refused it."""
        session = session or secrets.token_hex(6)
        body = {"fn_index": fn_index, "data": data, "event_data": event_data, "session_hash": session}
        started = self.post("queue/join", body)
        if started.status_code != 200:
            self.check_refusal(started)
            return None
        address = f"{self.url}gradio_api/queue/data?session_hash={session}"
        values: list[Any] | None = None
        with self.client.stream("GET", address) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                assert message.get("msg") != "unexpected_error", message
                if message.get("msg") == "process_completed":
                    values = self._read_output(message)
        return values

    def describe(self, name: str) -> list[dict[str, Any]]:
        """The fields of an endpoint."""
        info = self.client.get(f"{self.url}gradio_api/info").json()
        return info["named_endpoints"][f"/{name}"]["parameters"]

    def defaults(self, name: str) -> dict[str, Any]:
        """What the fields of an endpoint hold where they are not named."""
        return {part["parameter_name"]: part.get("parameter_default") for part in self.describe(name)}

    def find_event(self, element: str, name: str) -> dict[str, Any]:
        """Finds an event by the id of its element; of several, the one that takes the element's value."""
        (component,) = (part for part in self.config["components"] if part["props"].get("elem_id") == element)
        target = [component["id"], name]
        events = [event for event in self.config["dependencies"] if target in map(list, event["targets"])]
        return max(events, key=lambda event: component["id"] in event["inputs"])

    def upload(self, name: str, content: bytes) -> str | None:
        """Uploads a file; gives its path on the server, or None where it was refused."""
        answer = self.client.post(f"{self.url}gradio_api/upload", files={"files": (name, content)})
        if answer.status_code != 200:
            assert answer.status_code < 500, answer.text
            return None
        return answer.json()[0]

    @staticmethod
    def check_refusal(answer: httpx.Response) -> None:
        """Checks that a call was refused in a sentence."""
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
        detail = answer.json()["detail"]
        assert isinstance(detail, str), answer.text
        assert "Traceback" not in detail
        assert len(detail) < 700

    @staticmethod
    def _read_output(message: dict[str, Any]) -> list[Any] | None:
        if message["success"]:
            return message["output"].get("data", [])
        check_sentence(str(message["output"]["error"] or ""))
        return None


def make_file(path: Any, **others: Any) -> dict[str, Any]:
    """What clients send in place of a file that they have uploaded."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **others}
