"""What the server lets in at all: how long a request may be, of how many values, and what an upload may hold."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attattr_core.ui.doors import ClosedDoors


def send_body(path, chunk, n_chunks):
    """What comes of a body of unknown length, so many times the same: what the app read, and what was answered."""
    read, answered, left = [], [], [chunk] * n_chunks

    async def app(scope, receive, send):
        while (message := await receive())["type"] == "http.request":
            read.append(message["body"])
            if not message["more_body"]:
                break

    async def receive():
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    async def send(message):
        answered.append(message.get("body", b""))

    doors = ClosedDoors(app, max_bytes=10_000_000, max_upload_bytes=2_000_000)
    scope = {"type": "http", "path": path, "headers": [], "method": "POST"}
    with ThreadPoolExecutor() as threads:  # in this one a browser's loop may be running
        threads.submit(asyncio.run, doors(scope, receive, send)).result()
    return b"".join(read), b"".join(answered).decode()


def test_a_body_of_unknown_length_is_counted():
    call, upload = "/gradio_api/run/attribute", "/gradio_api/upload"
    assert send_body(call, b"a" * 1_000_000, 10) == (b"a" * 10_000_000, "")
    for path in (call, "/gradio_api/run/upload", "/gradio_api/call/v2/upload"):
        read, answered = send_body(path, b"a" * 1_000_000, 30)
        assert (read, "more than 10,000,000 bytes, and up to 10,000,000" in answered) == (b"", True)
    assert len(send_body(upload, b"a" * 1_000_000, 2)[0]) == 2_000_000
    assert len(send_body(upload, b"a" * 1_000_000, 30)[0]) == 3_000_000, "with what is around a file"


@pytest.mark.parametrize("chunk", [b"[],", b'{"a":1},', b"0,"])
def test_a_call_of_too_many_values_is_not_taken_apart(chunk):
    assert len(send_body("/gradio_api/run/attribute", chunk * 1000, 200)[0]) == 200_000 * len(chunk)
    read, answered = send_body("/gradio_api/run/attribute", chunk * 1000, 501)
    assert (read, "more than 500,000 values" in answered) == (b"", True)


def test_an_upload_lies_in_a_folder_of_its_own(server):
    one, other = (server.upload("same.tsv", b"text\tlabel\nA good film.\tyes\n") for _ in range(2))
    assert Path(one).parent != Path(other).parent, "or one visitor could take it from another"


def test_an_upload_has_files_alone(server):
    answer = server.client.post(f"{server.url}gradio_api/upload?upload_id=z", files={"a": (None, b"b" * 1000)})
    assert (answer.status_code, answer.text) == (400, "What was uploaded is no file, or has no name: give it one.")
    progress = server.client.get(f"{server.url}gradio_api/upload_progress?upload_id=z", timeout=60)
    assert progress.status_code == 200, "it ends"


def test_functions_of_components_are_closed(server):
    asked = {"session_hash": "q", "component_id": 1, "fn_name": "x", "data": 1}
    assert server.client.post(f"{server.url}gradio_api/component_server", json=asked).status_code == 404
