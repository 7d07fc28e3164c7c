"""Choosing data through the real server and its client: whose file is whose, what is refused, what is shown as text."""

import json
import pickle
from dataclasses import replace

import httpx
import pytest
from gradio_client import Client, handle_file
from hub.parquet_files import save, save_sentiment
from picker_page import build_picker_page

from attattr_core import UserError
from attattr_core.datasets import DataLimits, digest_file
from attattr_core.datasets.hub_sets import find_dataset
from attattr_core.hub import HubLimits
from attattr_core.ui import Models
from attattr_core.ui.data_choice import read_choice, suggest_set
from attattr_core.ui.data_steps import follow_checkpoint, list_parts, load_set, look_up_set, pick_source, take_file

TABLE = "sentence\tlabel\n<script>alert(1)</script>\tpositive\n${alert(2)} {{value}}\t<img src=x onerror=alert(3)>\n"


@pytest.fixture(scope="module")
def picker_url():
    from app import launch

    app = build_picker_page(Models(data=DataLimits(1000, 100_000)))
    _, url, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield url
    app.close()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text(TABLE)
    return path


def visit(url: str) -> Client:
    return Client(url, verbose=False)


def read(client: Client, labels: str = "") -> dict:
    return client.predict(labels, api_name="/read")


def upload(client: Client, path) -> dict:
    return json.loads(client.predict(handle_file(str(path)), api_name="/try_upload"))


def test_an_upload_is_shown_as_data_and_read_by_its_visitor_only(picker_url, table):
    mine, other = visit(picker_url), visit(picker_url)
    shown = upload(mine, table)
    assert (shown["state"], shown["name"], shown["n_rows"]) == ("ready", "mine.tsv", 2)
    assert shown["rows"][0] == ["<script>alert(1)</script>", None, "positive"]
    found = read(mine)
    assert (found["n"], found["sha256"], found["label"]) == (2, digest_file(table), 1)
    assert read(other)["n"] == 264, "another visitor has the embedded pairs still"
    assert (
        "'<img src=x onerror=alert(3)>', which is none of negative, positive"
        in read(mine, "negative,positive")["error"]
    )


def test_no_path_of_the_server_can_be_named(picker_url, tmp_path):
    client = visit(picker_url)
    secret = tmp_path / "secret.tsv"
    secret.write_text(TABLE)
    call = f"{picker_url}gradio_api/call/try_upload"
    for path in (str(secret), "/etc/passwd", "../../../etc/passwd", f"{picker_url}config"):
        file = {"path": path, "url": None, "orig_name": "x.tsv", "meta": {"_type": "gradio.FileData"}}
        asked = httpx.post(call, json={"data": [file], "session_hash": client.session_hash})
        answer = httpx.get(f"{call}/{asked.json()['event_id']}", timeout=30).text
        assert "event: error" in answer
        assert "alert(1)" not in answer
        assert read(client)["n"] == 264
    endpoints = client.config["dependencies"]
    assert {entry["api_name"] for entry in endpoints if entry["api_visibility"] == "public"} == {"read"}


def test_files_that_cannot_be_used_are_sentences(picker_url, tmp_path):
    client = visit(picker_url)
    for name, content, sentence in (
        ("large.tsv", b"sentence\tlabel\n" + b"x\t1\n" * 30_000, "larger than 100,000 bytes"),
        ("rows.tsv", b"sentence\tlabel\n" + b"x\t1\n" * 1001, "more than 1,000 rows"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\xff\xfe", "not UTF-8"),
        ("empty.jsonl", b"", "is empty"),
        ("fake.parquet", b"PAR1 and no more", "cannot be read as parquet"),
    ):
        (tmp_path / name).write_bytes(content)
        shown = upload(client, tmp_path / name)
        assert shown["state"] == "refused"
        assert sentence in shown["error"]
        assert "No data are chosen" in read(client)["error"]


def test_bad_rows_are_listed_and_counted(picker_url, tmp_path):
    (tmp_path / "bad.csv").write_text("text,label\ngood,1\n,0\nbad\nso,0\n")
    client = visit(picker_url)
    shown = upload(client, tmp_path / "bad.csv")
    assert shown["problems"] == [
        "Line 3 of bad.csv has an empty text.",
        "Line 4 of bad.csv has 1 columns where the header has 2.",
    ]
    assert read(client)["error"] == ("Line 3 of bad.csv has an empty text; correct this line and 1 more (line 4).")


def test_a_file_that_gradio_has_deleted_is_a_sentence(table):
    _, choice = take_file(Models(), str(table))
    assert len(read_choice(pickle.loads(pickle.dumps(choice)), None)) == 2
    table.unlink()
    with pytest.raises(UserError, match=r"'mine.tsv' is no longer on the server, which keeps uploads for an hour"):
        read_choice(choice, None)
    with pytest.raises(UserError, match="No data are chosen"):
        read_choice(None, None)


def test_the_default_follows_the_checkpoint_until_the_visitor_chooses(tmp_path):
    models = Models()
    sentences, pairs = models.find("sst2"), models.find("snli")
    assert (suggest_set(models, sentences), suggest_set(models, pairs)) == ("sst2", "snli")
    source, glance, choice = follow_checkpoint(models, sentences, "snli")
    assert (source, choice.name, json.loads(glance)["name"]) == ("sst2", "sst2", "sst2.tsv")
    assert len(read_choice(choice, ("positive", "negative"))) == 260
    for kept in ("file", "hub", "sst2"):
        assert all(isinstance(value, dict) for value in follow_checkpoint(models, sentences, kept))
    renamed = replace(sentences, description=replace(sentences.description, name="org/x", labels=("POS", "NEG")))
    assert suggest_set(models, renamed) == "sst2"
    foreign = replace(sentences, description=replace(sentences.description, name="org/x", labels=("cat", "dog")))
    assert suggest_set(models, foreign) is None
    _glance, choice, file_row, hub_row, _found = pick_source(models, "file", None)
    assert (choice, file_row.visible, hub_row.visible) == (None, True, False)


@pytest.fixture
def sentiment(hub, tmp_path):
    folder = tmp_path / "served"
    save_sentiment(folder / "a" / "train-00000-of-00001.parquet")
    save_sentiment(folder / "a" / "validation-00000-of-00001.parquet")
    rows = {"sentence": [f"{row * 7919 % 100_003} {row}" for row in range(20_000)], "label": [0, 1] * 10_000}
    save(folder / "b" / "test-00000-of-00001.parquet", rows)
    return hub.add("datasets/org/sentiment", folder, pause=0.1)


def test_a_data_set_is_looked_up_loaded_with_progress_and_read(sentiment):
    models = Models()
    glance, choice, found, config, split = look_up_set(models, "org/sentiment")
    assert choice is None
    assert "2 configurations, 3 splits" in json.loads(glance)["about"]
    assert (config.value, split.value, list_parts(found, "b").value) == ("a", "validation", "test")
    steps = [(json.loads(glance), choice) for glance, choice in load_set(models, "org/sentiment", "b", "test", found)]
    done = [shown["progress"][0] for shown, _ in steps if shown.get("progress")]
    assert done == sorted(done)
    assert len(done) > 1
    shown, choice = steps[-1]
    assert (shown["state"], shown["name"]) == ("ready", "org/sentiment:b:test")
    assert len(read_choice(pickle.loads(pickle.dumps(choice)), ("negative", "positive"))) == 20_000
    *_, (glance, choice) = load_set(models, "org/sentiment", "a", "train", None)
    assert [example.label for example in read_choice(choice, ("Positive", "Negative")).examples] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("models", "text", "parts", "sentence"),
    [
        (Models(), "org/missing", ("", ""), "There is no data set 'org/missing' on the Hub"),
        (Models(), "../../etc/passwd", ("", ""), "is no name of a data set"),
        (Models(), "org/sentiment", ("a", "nothing"), "has no split 'nothing'"),
        (Models(data=DataLimits(10, 100)), "org/sentiment", ("a", "train"), "more than the limit of"),
        (Models(HubLimits(offline=True)), "org/sentiment", ("a", "train"), "is not asked in offline mode"),
        (Models(HubLimits(curated_only=True)), "org/sentiment", ("a", "train"), "not among the data sets"),
    ],
)
def test_a_refusal_leaves_nothing_chosen(sentiment, models, text, parts, sentence):
    *_, (glance, choice) = load_set(models, text, *parts, None)
    assert choice is None
    assert sentence in json.loads(glance)["error"]


def test_choices_can_be_told_apart_by_gradio(sentiment):
    """A state with a change event is hashed, and a configuration with dictionaries in it cannot be."""
    models = Models()
    *_, (_glance, choice) = load_set(models, "org/sentiment", "a", "train", None)
    assert hash(choice) == hash(pickle.loads(pickle.dumps(choice)))
    assert hash(find_dataset("org/sentiment"))
    found = models.find("sst2")
    assert hash(found) == hash(replace(found, n_bytes_here=5)) != hash(models.find("snli"))
