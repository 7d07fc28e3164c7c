"""The real app, driven by its Python client."""

import json
import re

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

DEFAULTS = ("predicted", "probability", "zero", "to a tolerance", 0.01, 64, "automatic")


@pytest.fixture(scope="module")
def client(app_url):
    return Client(app_url, verbose=False)


def run(client: Client, model: str, text: str, pair: str = "", *settings) -> tuple[dict | None, str]:
    """The last message to the view, and the sentence above it."""
    view, status, *_ = client.predict(model, text, pair, *(settings or DEFAULTS), api_name="/page_run")
    return read(view), (read(status) or {"text": ""})["text"]


def read(value) -> dict | None:
    """A JSON value; None for "" and for "no change", which the client gives as a dictionary."""
    return json.loads(value) if isinstance(value, str) and value else None


def test_a_sentence_gives_a_complete_result(client):
    message, sentence = run(client, "sst2", "A quiet film that I could not stop thinking about.")
    assert sentence == ""
    assert message["status"] == "done"
    assert message["labels"] == ["negative", "positive"]
    assert sum(message["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert all(message["converged"])
    assert set(message["maps"]) == {str(layer) for layer in range(message["n_layers"])}
    assert message["tokens"][0] == "[CLS]"


def test_a_pair_and_every_setting(client):
    settings = ("neutral", "log-probability", "uniform", "fixed nodes", 0.01, 3, "right")
    message, sentence = run(client, "snli", "Two girls ride bicycles.", "The girls are sisters.", *settings)
    assert sentence == ""
    assert message["labels"][message["target"]] == "neutral"
    assert message["function"] == "log-probability"
    assert message["nodes"] == [3] * message["n_layers"]
    assert {0, 1} <= set(message["sentences"])


def test_messages_stream_from_the_top_layer(client):
    job = client.submit("sst2", "An ordinary sentence to stream.", "", *DEFAULTS, api_name="/page_run")
    job.result(timeout=120)
    messages = [message for output in job.outputs() if (message := read(output[0]))]
    assert messages[-1]["status"] == "done"
    assert [message["status"] for message in messages[:-1]] == ["running"] * (len(messages) - 1)
    assert len({message["run"] for message in messages}) == 1


@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_an_empty_text_is_one_sentence(client, text):
    assert run(client, "sst2", text) == (None, "Sentence A is empty: type a sentence to explain.")


@pytest.mark.parametrize(
    "text",
    ["🙂🙃", "שלום עולם", "<script>alert(1)</script>", "${alert(1)} {{7*7}} `x`", "a\x00b", "\\frac{1}{2} $x$", "𝔘𝔫𝔦"],
)
def test_awkward_texts_are_text(client, text):
    message, sentence = run(client, "sst2", text)
    assert sentence == ""
    assert message["status"] == "done"


def test_a_long_text_is_cut_with_a_notice(client):
    message, _ = run(client, "sst2", "word " * 700, "", *DEFAULTS[:3], "fixed nodes", 0.01, 1, "right")
    assert len(message["tokens"]) == 512
    assert re.search(r"cut to 512 tokens, .* 190 more are left out", message["notice"])
    assert message["maps"]["0"]["k"] == (3 << 19) // (8 * 72)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (0, "happy", "no label 'happy'"),
        (4, 0, "tolerance is 0.0"),
        (4, None, "tolerance is 'None'"),
    ],
)
def test_bad_settings_are_one_sentence(client, place, value, sentence):
    settings = [*DEFAULTS[:place], value, *DEFAULTS[place + 1 :]]
    message, said = run(client, "sst2", "Fine.", "", *settings)
    assert message is None
    assert sentence in said


@pytest.mark.parametrize(("place", "value"), [(1, "loss"), (2, "one"), (3, "guess"), (6, "simpson")])
def test_values_that_the_page_does_not_offer_are_refused(client, place, value):
    settings = [*DEFAULTS[:place], value, *DEFAULTS[place + 1 :]]
    with pytest.raises(AppError, match=f"{value}.* is not in the list of choices"):
        run(client, "sst2", "Fine.", "", *settings)


def test_an_overlong_text_is_refused_before_work(client):
    message, sentence = run(client, "sst2", "a" * 20_001)
    assert message is None
    assert "20,001 characters" in sentence


def test_two_visitors_at_once_get_their_own_results(app_url):
    clients = [Client(app_url, verbose=False) for _ in range(2)]
    texts = ["The first visitor liked it very much.", "The second visitor hated every minute of it."]
    jobs = [
        one.submit("sst2", text, "", *DEFAULTS, api_name="/page_run") for one, text in zip(clients, texts, strict=True)
    ]
    for job, text in zip(jobs, texts, strict=True):
        words = json.loads(job.result(timeout=120)[0])["word_labels"]
        assert " ".join(words).replace(" .", ".") == text
