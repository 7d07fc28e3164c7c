"""Files of the Hub's cache are damaged by others: loading anew mends them, and a sentence tells where it cannot."""

import json
import shutil

import pytest
from faults.visiting import load, run, visit
from gradio_client.exceptions import AppError
from hub.editing import edit

from attattr_core import UserError, load_checkpoint
from attattr_core.hub import HubLimits, describe, find_snapshot, parse_reference

WEIGHTS = "model.safetensors"


@pytest.fixture
def client(app_url, served, tiny, copy):
    """A visitor who has loaded two models."""
    client = visit(app_url)
    for name, folder in (("org/tiny", tiny), ("org/other", copy(id2label={"0": "down", "1": "up"}, label2id=None))):
        served.add(name, folder)
        load(client, name)
    return client


@pytest.fixture
def snapshot(client):
    return find_snapshot(describe(parse_reference("org/tiny")))


def cut_blob(snapshot):
    blob = (snapshot / WEIGHTS).resolve()
    blob.write_bytes(blob.read_bytes()[:1000])


def flip_header(snapshot):
    blob = (snapshot / WEIGHTS).resolve()
    content = bytearray(blob.read_bytes())
    content[:8] = b"\xff" * 8
    blob.write_bytes(bytes(content))


def lose_blob(snapshot):
    (snapshot / WEIGHTS).resolve().unlink()


def put_folder_for_link(snapshot):
    (snapshot / WEIGHTS).unlink()
    (snapshot / WEIGHTS / "nested").mkdir(parents=True)


def put_folder_for_blob(snapshot):
    blob = (snapshot / WEIGHTS).resolve()
    blob.unlink()
    blob.mkdir()
    (blob / "file").write_text("")


def put_folder_for_partial(snapshot):
    blob = (snapshot / WEIGHTS).resolve()
    blob.unlink()
    blob.with_name(f"{blob.name}.incomplete").mkdir()


def empty_config(snapshot):
    (snapshot / "config.json").resolve().write_bytes(b"")


def empty_tokenizer(snapshot):
    blob = (snapshot / "tokenizer.json").resolve()
    blob.write_bytes(b"{}" + bytes(blob.stat().st_size - 2))


def lose_folder(snapshot):
    shutil.rmtree(snapshot)


DAMAGES = [
    cut_blob,
    flip_header,
    lose_blob,
    put_folder_for_link,
    put_folder_for_blob,
    put_folder_for_partial,
    empty_config,
    empty_tokenizer,
    lose_folder,
]


def drop_from_memory():
    from attattr_core.ui import find_cache

    find_cache().clear()


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_said_and_mended_by_loading_anew(client, snapshot, tiny, damage):
    damage(snapshot)
    drop_from_memory()
    assert run(client, "org/tiny") == ({}, "'org/tiny' is not downloaded yet: press Load first.")
    assert run(client, "org/other")[0]["labels"] == ["down", "up"], "other models go on"
    assert "in the cache" in load(client, "org/tiny")["size"]
    for path in tiny.iterdir():
        if (snapshot / path.name).exists():
            assert (snapshot / path.name).read_bytes() == path.read_bytes()
    assert not list(snapshot.parent.parent.rglob("*.incomplete"))
    assert run(client, "org/tiny")[0]["status"] == "done"


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_the_hub_it_is_one_sentence(client, snapshot, damage):
    damage(snapshot)
    drop_from_memory()
    with pytest.raises(UserError) as caught:
        load_checkpoint("org/tiny", device="cpu", limits=HubLimits(offline=True))
    sentence = str(caught.value)
    assert "tiny" in sentence or snapshot.name in sentence
    assert any(way_out in sentence for way_out in ("connect to the Hub", "turn ATTATTR_OFFLINE", "so fetch or save it"))
    assert load_checkpoint("org/other", device="cpu", limits=HubLimits(offline=True)).labels == ("down", "up")


@pytest.mark.parametrize("content", ["", "no commit", "0" * 40])
def test_a_branch_that_says_nothing(client, snapshot, served, models, content):
    refs = snapshot.parent.parent / "refs" / "main"
    refs.write_text(content)
    with pytest.raises(UserError, match="not asked in offline mode, and 'org/tiny' is not in the cache"):
        load_checkpoint("org/tiny", device="cpu", limits=HubLimits(offline=True))
    models.forget()
    load(client, "org/tiny")
    assert run(client, "org/tiny")[0]["status"] == "done"
    refs.unlink()
    (refs / "main").mkdir(parents=True)
    load_checkpoint("org/tiny", device="cpu")
    assert refs.read_text() == snapshot.name
    assert load_checkpoint("org/tiny", device="cpu", limits=HubLimits(offline=True)).labels == ("no", "yes")


def test_weights_of_a_folder_that_are_no_weights(client, tmp_path, tiny):
    folder = tmp_path / "mine"
    shutil.copytree(tiny, folder)
    whole = (tiny / WEIGHTS).read_bytes()
    for content in (whole[:1000], b"\xff" * 8 + whole[8:], b""):
        (folder / WEIGHTS).write_bytes(content)
        message, said = run(client, str(folder))
        assert message == {}
        assert any(words in said for words in ("'mine' could not be loaded: ", "it is damaged, so fetch or save it"))
        assert "mine" in said
    (folder / WEIGHTS).write_bytes((tiny / WEIGHTS).read_bytes())
    assert run(client, str(folder))[0]["status"] == "done"
    edit(folder / "config.json", num_hidden_layers=5)
    with pytest.raises(AppError, match="it is damaged"):
        client.predict(str(folder), "A film.", api_name="/attribute")
    (folder / "config.json").write_text(json.dumps([]))
    assert "is not a JSON object" in run(client, str(folder))[1]
