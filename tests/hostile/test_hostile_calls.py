"""Any call of the server: an answer or a sentence, never a traceback, and the next one is answered as ever."""

import http.client
import json
import os
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hostile.calls import Server, make_file
from hostile.strategies import bent_json, check_sentence, names, nest, texts, values
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from samples import make_attribution

from attattr_core import load_checkpoint
from attattr_core.storage import dump_npz

FEW = settings(max_examples=max(settings.default.max_examples // 3, 1))
ENDPOINTS = (
    *("list_models", "load", "attribute", "tree"),
    *("head_importance", "prune", "mine_triggers", "evaluate_triggers"),
)
ONE_NODE = {"rule": "left", "n_steps": 1}
TEXT = "The film is good."
ROWS = [{"text": "A good film.", "label": "yes"}, {"text": "A bad film.", "label": "no"}]
TRIGGER = {
    "max_combined_attr": [0.5, 0.4],
    "top1pattern": ["good", "film"],
    "top2pattern": ["good", "film"],
    "top1position": [2, 3],
    "top2position": [2, 3],
    "target_label": 1,
    "golden_label": 1,
    "seg_pos": 4,
    "tokens": ["[CLS]", "a", "good", "film", "[SEP]"],
}


@pytest.fixture(scope="module")
def right(tiny):
    """A right and cheap call of each endpoint."""
    config = load_checkpoint(tiny, device="cpu").model.config
    importance = [[0.1] * config.num_attention_heads] * config.num_hidden_layers
    model = {"model": str(tiny)}
    text = {**model, "text": TEXT, "settings": ONE_NODE}
    data = {**model, "data": ROWS}
    return {
        "list_models": {},
        "load": {"name": str(tiny)},
        "attribute": text,
        "tree": text,
        "head_importance": {**data, "method": "attention", "settings": ONE_NODE},
        "prune": {**data, "importances": {"a": {"head_importance": importance}}, "n_seeds": 1, "direction": "both"},
        "mine_triggers": {**data, "seed": 1},
        "evaluate_triggers": {**data, "triggers": [TRIGGER], "n_seeds": 1},
    }


@pytest.fixture(autouse=True)
def _goes_on(server, right):
    """After everything the server works, and gives the numbers that it gave before."""
    wanted = server.call("call/v2/attribute", right["attribute"])
    yield
    assert server.client.get(f"{server.url}healthz").json()["status"] == "ok"
    again = server.call("call/v2/attribute", right["attribute"])
    assert again[0]["result"] == wanted[0]["result"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_fields_that_are_missing_extra_huge_or_of_another_kind(server, right, name):
    assert server.call(f"call/v2/{name}", right[name])[0]["status"] == "done"

    @FEW
    @given(fields=bent_json(right[name]))
    def check(fields):
        answer = server.call(f"call/v2/{name}", fields)
        assert answer is None or answer[0]["status"] == "done"

    check()


@FEW
@given(
    name=st.sampled_from(ENDPOINTS) | texts,
    data=st.lists(values, max_size=9) | values,
    way=st.sampled_from(["call", "run", "api"]),
)
def test_values_without_names(server, name, data, way):
    path = f"{way}/{name.encode(errors='replace').hex() if name not in ENDPOINTS else name}"
    if way == "call":
        server.call(path, {"data": data})
        return
    answer = server.post(path, {"data": data})
    assert answer.status_code != 500 or check_sentence(answer.json()["error"]) is None


@FEW
@given(
    body=st.binary(max_size=60)
    | values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([nest(500), nest(100_000), b'{"data":' * 500])
)
def test_bodies_of_any_kind(server, body):
    for path in ("call/v2/attribute", "call/attribute", "queue/join"):
        answer = server.post(path, body)
        if answer.status_code != 200:
            server.check_refusal(answer)


@FEW
@given(index=values, data=values, event=values, session=values)
def test_events_of_any_number(server, index, data, event, session):
    body = {"fn_index": index, "data": data, "event_data": event, "session_hash": session}
    answer = server.post("queue/join", body)
    if answer.status_code != 200:
        server.check_refusal(answer)


def ask_of_first(names_of_parts: tuple[str, ...]) -> st.SearchStrategy:
    """What the page's views send about the result of the first screen, with any parts."""
    parts = st.dictionaries(st.sampled_from(names_of_parts), values)
    return parts.map(lambda drawn: {**drawn, "run": "first"})


def test_answers_hold_nothing_that_no_client_can_read(server, right):
    """As gradio_client and the page read them: no halves of characters, no number beyond 64 bits."""
    sent = right["attribute"]
    for name, fields in (
        ("attribute", {**sent, "text": "A \ud800 film."}),
        ("attribute", {**sent, "target": "\ud800"}),
        ("head_importance", {**right["head_importance"], "data": [{"text": "a", "label": "\ud800"}]}),
        ("head_importance", {**right["head_importance"], "data": [{"\ud800": "a", "label": "yes"}]}),
        ("prune", {**right["prune"], "importances": {"a\ud800": right["prune"]["importances"]["a"]}}),
        ("evaluate_triggers", {**right["evaluate_triggers"], "triggers": [{**TRIGGER, "target_label": 10**30}]}),
    ):
        event = next(event for event in server.config["dependencies"] if event["api_name"] == name)
        order = [part["parameter_name"] for part in server.describe(name)]
        given_all = [fields.get(part, server.defaults(name).get(part)) for part in order]
        answer = server.fire(event["id"], given_all)
        assert answer is None or answer[0]["status"] == "done", name


def list_events(server: Server) -> list[dict]:
    """The page's own events that take something from a browser; steps that follow take what the server keeps."""
    states, examples = (
        {part["id"] for part in server.config["components"] if part["type"] == kind} for kind in ("state", "dataset")
    )
    return [
        event
        for event in server.config["dependencies"]
        if event["backend_fn"]
        and event["api_name"] not in ENDPOINTS
        and not examples & set(event["inputs"])  # Gradio's own, see below
        and (set(event["inputs"]) - states or any(element is not None for element, _ in event["targets"]))
    ]


def test_every_event_of_the_page(server):
    events = list_events(server)
    assert len(events) > 40

    @settings(
        max_examples=max(settings.default.max_examples // 10, 1), phases=[Phase.generate]
    )  # each is an hour's clicks
    @given(
        drawn=st.data(),
        event_data=values | ask_of_first(("format", "view", "link", "layer", "head", "mode", "insertions")),
    )
    def check(drawn, event_data):
        for event in events:
            data = drawn.draw(st.lists(values, min_size=len(event["inputs"]), max_size=len(event["inputs"])))
            server.fire(event["id"], data, event_data=event_data)

    check()


def test_a_handler_that_fails_says_so_and_no_more(server):
    """Gradio's own handler of the examples takes anything for one of them."""
    event = server.find_event("examples", "click")
    body = {"fn_index": event["id"], "data": [None], "session_hash": "a failure"}
    assert server.post("queue/join", body).status_code == 200
    stream = server.client.get(f"{server.url}gradio_api/queue/data?session_hash=a failure").text
    assert "The server failed at this, and not because of what was asked for; its log says why." in stream
    assert "TypeError" not in stream


@FEW
@given(
    path=texts
    | st.sampled_from(["/etc/passwd", "http://127.0.0.1:1/a.tsv", "https://example.org/a.tsv", "file:///etc/passwd"])
    | values,
    others=st.dictionaries(
        st.sampled_from(["url", "size", "orig_name", "mime_type", "is_stream"]) | names, values, max_size=3
    ),
)
def test_files_that_nobody_uploaded(server, right, path, others):
    fields = {**right["head_importance"], "data": None, "file": make_file(path, **others)}
    assert server.call("call/v2/head_importance", fields) is None


def test_no_file_is_fetched_from_an_address(server, right):
    for address in (f"{server.url}healthz", "https://example.org/a.tsv"):
        started = server.post(
            "call/v2/head_importance", {**right["head_importance"], "data": None, "file": make_file(address)}
        )
        stream = server.client.get(f"{server.url}gradio_api/call/head_importance/{started.json()['event_id']}").text
        assert "is an address, which is not fetched here: download the file, then upload it" in stream


@FEW
@given(
    name=texts.filter(lambda name: not set(name) & set('\ud800\udfff\0\r\n"')) | st.just("data.tsv"),
    content=st.binary(max_size=60),
)
def test_uploads_of_any_name_stay_in_their_folder(server, right, name, content):
    path = server.upload(name, b"text\tlabel\nA good film.\tyes\n" if name == "data.tsv" else content)
    if path is None:
        return
    assert Path(path).resolve().is_relative_to(Path(os.environ["GRADIO_TEMP_DIR"]).resolve())
    assert Path(path).is_file()
    answer = server.call("call/v2/head_importance", {**right["head_importance"], "data": None, "file": make_file(path)})
    assert (answer is not None) == (name == "data.tsv")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/a", "https://example.org/a", "https%3A//example.org/a", "HTTP://a/b"]
)
@pytest.mark.parametrize("way", ["file=", "file/", "proxy="])
def test_the_server_fetches_nothing_for_others(server, way, address):
    answer = server.client.get(f"{server.url}gradio_api/{way}{address}")
    assert (answer.status_code, answer.text) == (404, "Not found")


@pytest.mark.parametrize("ending", ["html", "svg", "xhtml", "xml", "js", "mhtml", "pdf", "htm%6c", "tsv"])
def test_an_upload_is_no_page_of_the_server(server, ending):
    path = server.upload(f"page.{ending}", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    answer = server.client.get(f"{server.url}gradio_api/file={quote(path)}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"].partition(";")[0] in ("application/octet-stream", "text/plain")


def test_a_call_that_is_too_long_is_not_read(server):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=300)
    connection.putrequest("POST", "/gradio_api/call/v2/attribute")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "10000000000")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert "up to 64,000,000 are taken here" in json.loads(answer.read())["detail"]
    connection.close()


def test_a_file_that_has_expired_is_one_sentence(server, right):
    path = server.upload("short.tsv", b"text\tlabel\nA good film.\tyes\n")
    Path(path).unlink()
    assert (
        server.call("call/v2/head_importance", {**right["head_importance"], "data": None, "file": make_file(path)})
        is None
    )


def test_a_visitor_cannot_export_what_another_one_looks_at(server):
    opened, export = server.find_event("open", "upload"), server.find_event("heatmaps", "export")
    path = server.upload("result.npz", dump_npz(make_attribution()))
    states = [None] * (len(opened["inputs"]) - 1)  # what the server keeps of the visitor
    view, *_ = server.fire(opened["id"], [make_file(path), *states], session="one")
    run = json.loads(view)["run"]
    asked = {"run": run, "format": "json", "view": {"layer": 0, "head": 0}}
    file, _ = server.fire(export["id"], [None], event_data=asked, session="one")
    assert json.loads(file)["name"].endswith(".json")
    _, status = server.fire(export["id"], [None], event_data=asked, session="two")
    assert "no longer on the server" in json.loads(status)["text"]
