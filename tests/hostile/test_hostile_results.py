"""Any result file: a sentence that refuses it, or a result that page, command line and every export can show."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from hostile.strategies import (
    DEPTHS,
    bent_bytes,
    bent_json,
    check_sentence,
    names,
    nest,
    refuse_or,
    texts,
    values,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import make_attribution

from attattr_core import Attribution, build_tree, load_attribution, save_attribution
from attattr_core.authors import dump_authors_lines, dump_authors_tokens, load_authors
from attattr_core.bundle import dump_bundle, load_bundle
from attattr_core.storage import clean_text, dump_json, dump_npz
from attattr_core.trees.files import dump_graphml, dump_tree
from attattr_core.ui import Models
from attattr_core.ui.exports import export_view
from attattr_core.ui.link import open_bundle
from attattr_core.ui.payload import build_whole_map
from attattr_core.ui.running import Session, send_whole_map
from attattr_core.ui.tree_exports import export_tree
from attattr_core.ui.tree_payload import build_tree_payload

RESULT = make_attribution()
NPZ, CONTENT = dump_npz(RESULT), json.loads(dump_json(RESULT))
BUNDLE = dump_bundle(RESULT, view={"tab": "tree", "layer": "1"}, pictures={})
TREE = {"mode": "flow", "n_edges": 16, "threshold": 0.0, "tau": 0.4, "words": True}
dtypes = st.sampled_from(["<f4", ">f4", "<f8", "<f2", "<i8", "|i1", "|b1", "<c8", "<U4", "|S4", "<M8[s]", "|V4"])
shapes = st.lists(st.integers(0, 9), max_size=5).map(tuple) | st.sampled_from([(2, 3, 8, 8), (8, 8), (2,), ()])


def unpack(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("\0", "") or "empty", content)
    return buffer.getvalue()


def dump_array(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def read_message(message: str) -> None:
    """Reads what the page gets as a browser does: no markup, and no number that JSON does not have."""
    assert "<" not in message
    message.encode()
    json.loads(message, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def show(result: Attribution, work) -> None:
    """Does with a result what the page and the command line do."""
    for words in (False, True):
        for mode in ("flow", "paper"):
            tree = build_tree(result, mode=mode, words=words)
            json.loads(dump_tree(tree))
    dump_graphml(tree).encode()
    session = Session(result, "a", "opened")
    read_message(session.build_message())
    read_message(build_tree_payload(result, run="a", status="opened"))
    layers = [*np.flatnonzero(result.finished)[:1].tolist()]
    for layer in layers:
        read_message(build_whole_map(result, run="a", layer=layer, head=None))
    for ending in ("json", "npz"):
        save_attribution(result, work / f"again.{ending}")
        again = load_attribution(work / f"again.{ending}")
        (work / f"again.{ending}").unlink()
        assert (again.tokens, again.texts, again.labels) == (result.tokens, result.texts, result.labels)
    view = {"layer": layers[0] if layers else 0, "head": None, "words": True, "specials": False}
    for answer, status in (
        export_view(session, gr.EventData(None, {"run": "a", "format": "json", "view": view})),
        export_tree(session, gr.EventData(None, {"run": "a", "format": "graphml", "view": TREE})),
    ):
        assert status == "" or check_sentence(json.loads(status)["text"]) is None
        if status == "":
            name = json.loads(answer)["name"]
            assert "/" not in name
            assert "\\" not in name


def use(work, name: str, content) -> Attribution | None:
    """Opens a file as the page does and as Python does; gives the result, if it is one."""
    path = write(work, name, content)
    result = refuse_or(load_attribution, path)
    assert refuse_or(load_bundle, path) is None or result is not None
    view, status, session, *_ = open_bundle(Models(), str(path))
    assert not path.exists(), "it holds a visitor's text"
    if isinstance(session, Session):
        assert result is not None
        read_message(view)
    else:
        check_sentence(json.loads(status)["text"])
    if result is not None:
        show(result, work)
    return result


@given(
    content=st.binary(max_size=400) | bent_bytes(NPZ) | bent_bytes(BUNDLE),
    name=st.sampled_from(["a.npz", "a.json", "a.zip"]),
)
def test_any_bytes(work, content, name):
    use(work, name, content)


@given(content=bent_json(CONTENT))
def test_json_with_something_changed(work, content):
    use(work, "result.json", content)


@given(changes=st.dictionaries(st.sampled_from(sorted(CONTENT)), values, min_size=1, max_size=2))
def test_json_with_a_field_of_another_kind(work, changes):
    use(work, "result.json", {**CONTENT, **changes})


@given(
    tokens=st.lists(texts, min_size=8, max_size=8),
    labels=st.lists(texts, min_size=2, max_size=2),
    about=st.tuples(texts, texts, texts),
    words=st.lists(st.integers(-1, 3), min_size=8, max_size=8),
    sentences=st.lists(st.sampled_from([-1, 0, 1]), min_size=8, max_size=8),
    spoken=st.lists(texts, max_size=3),
)
def test_any_words_in_a_result_that_is_right_otherwise(work, tokens, labels, about, words, sentences, spoken):
    model, revision, notice = about
    changes = {"tokens": tokens, "labels": labels, "words": words, "sentences": sentences, "texts": spoken}
    use(work, "result.json", {**CONTENT, **changes, "model": model, "revision": revision, "notice": notice})


@given(
    scale=st.sampled_from([0.0, 1e-38, 1e20, 1e38, 3e38, float("nan"), float("inf")]),
    output=st.sampled_from([None, 0.0, 1e308, float("inf"), float("nan")]),
    baseline=st.sampled_from([None, -1e308, float("-inf"), 0.5]),
)
def test_any_numbers_in_a_result_that_is_right_otherwise(work, scale, output, baseline):
    maps = (RESULT.attribution.astype(np.float64) * scale).tolist()
    use(work, "result.json", {**CONTENT, "attribution": maps, "output": output, "baseline_output": [baseline, 0.5]})


@given(name=st.sampled_from(sorted(unpack(NPZ))), dtype=dtypes, shape=shapes, data=st.binary(max_size=64))
def test_arrays_of_any_kind_and_shape(work, name, dtype, shape, data):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    content = (data * (size // max(len(data), 1) + 1))[:size].ljust(size, b"\0")
    array = np.frombuffer(content, dtype).reshape(shape) if size else np.zeros(shape, dtype)
    use(work, "result.npz", pack({**unpack(NPZ), name: dump_array(array)}))


@given(name=st.sampled_from(sorted(unpack(NPZ))), header=st.text(max_size=80) | bent_bytes(unpack(NPZ)["n_nodes.npy"]))
def test_headers_that_lie(work, name, header):
    lying = header if isinstance(header, bytes) else b"\x93NUMPY\x01\0\x60\0" + header.encode().ljust(96, b" ")
    use(work, "result.npz", pack({**unpack(NPZ), name: lying}))


class Trap:
    """Opens a file for writing as soon as it is unpickled."""

    def __reduce__(self):
        return open, ("trapped.txt", "w")


@pytest.mark.parametrize("name", sorted(unpack(NPZ)))
def test_no_array_is_unpickled(work, name):
    assert use(work, "result.npz", pack({**unpack(NPZ), name: dump_array(np.array([Trap()], object))})) is None
    assert not (work / "trapped.txt").exists()


@given(
    extra=st.dictionaries(
        names.map(lambda name: name.replace("\ud800", "").replace("\udfff", "")),
        st.binary(max_size=50),
        min_size=1,
        max_size=3,
    )
)
def test_members_of_any_name_are_not_unpacked(work, extra):
    outside = {"../../secret.txt": b"overwritten", "/tmp/attattr-overwritten.txt": b"x", "..\\secret.txt": b"x"}
    for members in (extra, outside):
        assert use(work, "bundle.zip", pack({**unpack(BUNDLE), **members})) is not None
        assert not Path("/tmp/attattr-overwritten.txt").exists()


@given(settings_of_view=bent_json(json.loads(unpack(BUNDLE)["settings.json"])))
def test_bundles_that_were_looked_at_in_any_way(work, settings_of_view):
    use(work, "bundle.zip", pack({**unpack(BUNDLE), "settings.json": json.dumps(settings_of_view).encode()}))


@pytest.mark.parametrize("depth", DEPTHS)
def test_results_that_are_nested(work, depth):
    for name in ("attention", "tokens", "settings", "model"):
        start, end = json.dumps({**CONTENT, name: "HERE"}).encode().split(b'"HERE"')
        use(work, "result.json", start + nest(depth) + end)


def test_bombs_are_refused_before_they_are_unpacked(work):
    for name in ("attention.npy", "metadata.npy", "more.npy"):
        assert use(work, "result.npz", pack({**unpack(NPZ), name: bytes(8 << 20)})) is None
    bomb = pack({"result.npz": pack({**unpack(NPZ), "attention.npy": bytes(8 << 20)})})
    assert use(work, "bundle.zip", bomb) is None


@given(event=values, view=st.dictionaries(st.sampled_from(sorted({*TREE, "layer", "head", "flow"})), values))
def test_whatever_a_page_asks_of_a_result(event, view):
    session = Session(RESULT, "a", "opened")
    asked = [event, {"run": "a", "format": event}, {"run": "a", "format": "zip", "link": event or 5}]
    asked += [{"run": "a", "format": "json", "view": view}, {"run": "a", "layer": event, "head": event}]
    for data in asked:
        for handler in (export_view, export_tree):
            _, status = handler(session, gr.EventData(None, data))
            assert status == "" or check_sentence(json.loads(status)["text"]) is None
        send_whole_map(session, gr.EventData(None, data))


@settings(max_examples=2)
@given(tokens=st.lists(texts, min_size=8, max_size=8), label=texts)
def test_any_words_can_be_drawn(tokens, label):
    clean = [clean_text(text)[:200] for text in (*tokens, label)]  # longer ones are not opened
    result = replace(RESULT, tokens=tuple(clean[:8]), word_labels=tuple(clean[:4]), labels=("no", clean[8]))
    session, view = Session(result, "a", "opened"), {"layer": 0, "head": 0, "picture": "arcs"}
    for file_format in ("svg", "pdf", "zip"):
        for handler, shown in ((export_view, view), (export_tree, TREE)):
            asked = {"run": "a", "format": file_format, "view": shown, "link": {}}
            assert handler(session, gr.EventData(None, asked))[1] == ""


@given(
    maps=bent_json([[[[0.5, 0.5], [0.1, 0.9]]]] * 2),
    entry=bent_json(json.loads(dump_authors_tokens(RESULT))),
    index=st.integers(-3, 3),
)
def test_files_of_the_authors(work, maps, entry, index):
    lines = "\n".join(map(json.dumps, maps)) if isinstance(maps, list) else json.dumps(maps)
    paths = write(work, "maps.json", lines.encode()), write(work, "tokens.json", entry)
    result = refuse_or(load_authors, *paths, index=index)
    assert result is None or build_tree(result, mode="paper").tokens == result.tokens
    for path in paths:
        path.unlink()


@given(
    tokens=st.lists(texts, min_size=2, max_size=5),
    logits=st.lists(st.floats() | st.none(), min_size=1, max_size=3),
    label=texts,
)
def test_tokens_and_logits_of_the_authors(work, tokens, logits, label):
    maps = np.random.default_rng(0).normal(size=(2, 2, len(tokens), len(tokens)))
    entry = [{"tokens": tokens, "pred": label, "pred_logits": [logits]}]
    paths = write(work, "maps.json", dump_authors_lines(maps).encode()), write(work, "tokens.json", entry)
    result = refuse_or(load_authors, *paths)
    if result is not None:
        show(result, work)
    for path in paths:
        path.unlink()
