"""Measuring heads through the app's public endpoint, as its Python client does."""

import json

import pytest
from gradio_client import Client

CONVENTION = ("probability", "zero", "to a tolerance", 0.05, 64, "automatic")


@pytest.fixture(scope="module")
def client(app_url):
    return Client(app_url, verbose=False)


def measure(
    client, *, model="snli", methods=("taylor",), n_ranking=3, n_pruning=4, directions=("least-first",), seeds=0
):
    fields = (list(methods), n_ranking, n_pruning, list(directions), seeds, "steps of 10 %", *CONVENTION)
    job = client.submit(model, *fields, api_name="/page_heads")
    job.result(timeout=300)
    messages = [json.loads(output[0]) for output in job.outputs() if isinstance(output[0], str)]
    statuses = [json.loads(output[1])["text"] for output in job.outputs() if output[1]]
    return messages, statuses


def test_a_small_data_set_is_measured(client):
    messages, statuses = measure(client)
    assert statuses == []
    last = messages[-1]
    assert last["status"] == "done"
    assert last["progress"] is None
    assert [part["method"] for part in last["importances"] if part["is_own"]] == ["taylor"]
    assert [curve["direction"] for curve in last["curves"]] == ["least-first"]
    assert len(last["curves"][0]["n_pruned"]) == 11
    assert last["n_examples"] == 4
    assert last["importances"][0]["n_examples"] == 3
    again, _ = measure(client)  # what was measured is known
    assert again[-1]["importances"][0]["values"] == last["importances"][0]["values"]
    assert not any("3 examples" in (part["progress"] or "") for message in again for part in message["importances"])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"methods": ()}, "No method is chosen"),
        ({"n_ranking": 0}, "whole number from 1 to 5,000"),
        ({"model": "sst2"}, "entailment"),  # the data of a first visit are pairs
    ],
)
def test_what_cannot_be_measured_is_one_sentence(client, fields, sentence):
    messages, statuses = measure(client, **fields)
    assert sentence in statuses[-1]
    assert messages[-1]["status"] in ("precomputed", "done", "empty")
