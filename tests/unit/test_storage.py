"""Result files survive a round trip exactly, and files that are not ours are refused in one sentence."""

import io
import json
import math
import zipfile
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from samples import make_attribution

from attattr_core import Attribution, Settings, UserError, load_attribution, load_authors, save_attribution, storage
from attattr_core.authors import dump_authors_lines, dump_authors_tokens
from attattr_core.storage import dump_json, dump_npz


def assert_equal(one: Attribution, other: Attribution) -> None:
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(other, name), value, err_msg=name)
        else:
            assert getattr(other, name) == value, name


@pytest.mark.parametrize("suffix", ["npz", "json"])
@pytest.mark.parametrize("unfinished", [None, 0])
def test_round_trip_is_exact(tmp_path, suffix, unfinished):
    attribution = make_attribution(unfinished=unfinished)
    save_attribution(attribution, tmp_path / f"result.{suffix}")
    assert_equal(attribution, load_attribution(tmp_path / f"result.{suffix}"))


def test_plain_numpy_reads_the_arrays(tmp_path):
    attribution = make_attribution()
    save_attribution(attribution, tmp_path / "result.npz")
    with np.load(tmp_path / "result.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["attribution"], attribution.attribution)
        np.testing.assert_array_equal(arrays["attention"], attribution.attention)
        assert json.loads(str(arrays["metadata"]))["version"] == 2


@pytest.mark.parametrize("suffix", ["npz", "json"])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "multi-label", "regression"])
def test_what_the_head_gives_is_kept(tmp_path, suffix, kind):
    attribution = replace(make_attribution(), output_kind=kind)
    save_attribution(attribution, tmp_path / f"result.{suffix}")
    loaded = load_attribution(tmp_path / f"result.{suffix}")
    assert_equal(attribution, loaded)
    assert loaded.unit == ("value" if kind == "regression" else "logit")
    assert loaded.prediction == (0 if kind == "regression" else 1)


@pytest.mark.parametrize("labels", [["no", "yes"], ["relevant"]])
def test_files_of_the_first_version_still_open(tmp_path, labels):
    content = json.loads(dump_json(make_attribution()))
    del content["output_kind"]
    content |= {"version": 1, "labels": labels, "probabilities": [0.5] * len(labels), "target": 0}
    (tmp_path / "result.json").write_text(json.dumps(content))
    loaded = load_attribution(tmp_path / "result.json")
    assert loaded.output_kind == ("softmax" if len(labels) > 1 else "sigmoid")


def test_other_suffix_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"\.npz or \.json"):
        save_attribution(make_attribution(), tmp_path / "result.pickle")


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def rewrite(content: bytes, name: str, data: bytes) -> bytes:
    """The same archive with one member replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, data if member == name else old.read(member))
    return buffer.getvalue()


def dump_array(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def edit_json(**changes) -> bytes:
    """A JSON file with some entries of another kind."""
    return json.dumps({**json.loads(dump_json(make_attribution())), **changes}).encode()


def edit_bytes(content: bytes, *edits: tuple[int, bytes]) -> bytes:
    """The same content with bytes at some places overwritten."""
    edited = bytearray(content)
    for place, data in edits:
        edited[place : place + len(data)] = data
    return bytes(edited)


def mark_members(place: int, data: bytes) -> bytes:
    """An archive whose first member has a field overwritten in both of its headers; the central one is 2 bytes on."""
    central = NPZ.index(b"PK\x01\x02")
    return edit_bytes(NPZ, (place, data), (central + place + 2, data))


def claim_shape(shape: tuple[int, ...]) -> bytes:
    """An array file whose header promises far more than the file holds."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + b"\0" * 16


NPZ = dump_npz(make_attribution())
FULL_HEADER = dump_array(make_attribution().attention)
HOSTILE = {
    "empty": b"",
    "text": b"hello",
    "list": b"[]",
    "deep JSON": b"[" * 100_000,
    "other JSON": b'{"format": "attattr-attribution", "version": 1}',
    "other zip": b"PK\x03\x04 no archive",
    "truncated": dump_npz(make_attribution())[:-40],
    "pickled object": rewrite(
        dump_npz(make_attribution()), "attention.npy", dump_array(np.array([{}], object), allow_pickle=True)
    ),
    "lying header": rewrite(dump_npz(make_attribution()), "attention.npy", claim_shape((10**6, 10**6))),
    "negative shape": rewrite(dump_npz(make_attribution()), "attention.npy", claim_shape((-1, 3, 8, 8))),
    "other shape": rewrite(dump_npz(make_attribution()), "attention.npy", dump_array(np.zeros((2, 3, 7, 7), "f4"))),
    "corrupt deflate": edit_bytes(NPZ, (60, b"\xff" * 40)),
    "encrypted": mark_members(6, b"\x01\x00"),
    "unknown compression": mark_members(8, b"\x63\x00"),
    "damaged LZMA": mark_members(8, b"\x0e\x00"),
    "header cut short": rewrite(NPZ, "attention.npy", FULL_HEADER.replace(b"}", b" ", 1)),
    "header of words": rewrite(NPZ, "attention.npy", FULL_HEADER.replace(b"': ", b"'; ", 1)),
    "other type": rewrite(NPZ, "attention.npy", dump_array(make_attribution().attention.astype(np.int8))),
    "huge metadata": rewrite(NPZ, "metadata.npy", dump_array(np.array(" " * (5 << 20)))),
    "code points beyond Unicode": rewrite(
        NPZ, "metadata.npy", dump_array(np.array("ab")).replace(b"a\0\0\0", b"\xff" * 4)
    ),
    "bytes that are no text": b'{"format": "\xff\xfe"}',
    "endless target": edit_json(target=math.inf),
    "fractional target": edit_json(target=0.5),
    "endless word": edit_json(words=[math.inf] * 8),
    "endless nodes": edit_json(n_nodes=[math.inf, 1]),
    "endless digits": edit_json(probabilities=[10**400, 0]),
    "probability gone": edit_json(probabilities=[None, 0.5]),
    "long version": edit_json(version="9\n" * 5000),
    "long kind of output": edit_json(output_kind="x\n" * 5000),
    "kind of output that is a list": edit_json(output_kind=["softmax"]),
    "long rule": edit_json(settings={"rule": "x\n" * 5000}),
    "nodes as text": edit_json(settings={"n_steps": "4"}),
    "no tolerance": edit_json(settings={"tolerance": None}),
    "no metadata": rewrite(dump_npz(make_attribution()), "metadata.npy", dump_array(np.array("5"))),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_files_that_are_not_ours_are_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_attribution(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("error", [MemoryError, EOFError, RuntimeError])
def test_what_the_readers_raise_becomes_one_sentence(tmp_path, monkeypatch, error):
    save_attribution(make_attribution(), tmp_path / "result.json")
    monkeypatch.setattr(storage.json, "loads", Mock(side_effect=error))
    with pytest.raises(UserError, match=r"'result.json' is not a result file"):
        load_attribution(tmp_path / "result.json")


@pytest.mark.parametrize(("suffix", "limit"), [("json", "MAX_JSON_BYTES"), ("npz", "MAX_BYTES")])
def test_large_files_are_refused_before_they_are_read(tmp_path, monkeypatch, suffix, limit):
    save_attribution(make_attribution(), tmp_path / f"result.{suffix}")
    monkeypatch.setattr(storage, limit, 1000)
    with pytest.raises(UserError, match="is larger than"):
        load_attribution(tmp_path / f"result.{suffix}")


def test_lone_surrogates_are_replaced(tmp_path):
    (tmp_path / "result.json").write_bytes(edit_json(model="a\ud800", texts=["\udfff", "🙂"]))
    loaded = load_attribution(tmp_path / "result.json")
    assert (loaded.model, loaded.texts) == ("a?", ("?", "🙂"))
    save_attribution(loaded, tmp_path / "again.json")


def test_a_later_version_is_named(tmp_path):
    save_attribution(make_attribution(), tmp_path / "result.json")
    content = json.loads((tmp_path / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps({**content, "version": 9}))
    with pytest.raises(UserError, match=r"'result.json' has version 9"):
        load_attribution(tmp_path / "result.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no file .*gone\.npz"):
        load_attribution(tmp_path / "gone.npz")


def test_authors_files_round_trip(tmp_path):
    attribution = make_attribution()
    (tmp_path / "a.jsonl").write_text(dump_authors_lines(attribution.attribution))
    (tmp_path / "b.jsonl").write_text(dump_authors_lines(attribution.attention))
    (tmp_path / "t.json").write_text(dump_authors_tokens(attribution))
    loaded = load_authors(tmp_path / "a.jsonl", tmp_path / "t.json", attention_path=tmp_path / "b.jsonl")
    np.testing.assert_array_equal(loaded.attribution, attribution.attribution)
    np.testing.assert_array_equal(loaded.attention, attribution.attention)
    np.testing.assert_allclose(loaded.probabilities, attribution.probabilities)
    assert loaded.tokens == attribution.tokens
    assert loaded.sentences == attribution.sentences
    assert (loaded.words, loaded.word_labels) == (attribution.words, attribution.word_labels)
    assert loaded.labels[loaded.prediction] == "yes"
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert np.shape(json.loads(lines[0])) == (3, 8, 8)
    assert len(lines) == 2


ENTRY = {"tokens": ["[CLS]"] * 8, "pred": "yes", "pred_logits": [[0.5, 1.5]]}
OTHER_ENTRIES = [
    {"pred_logits": []},
    {"pred_logits": "1.5"},
    {"pred_logits": {"a": 1}},
    {"pred_logits": [None, 1.0]},
    {"pred_logits": [math.inf, 1.0]},
    {"tokens": 5},
    {"tokens": []},
    {"tokens": "abcdefgh"},
]


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[1]", '[{"tokens": []}]', "[" * 100_000, *(json.dumps([ENTRY | other]) for other in OTHER_ENTRIES)],
    ids=range(5 + len(OTHER_ENTRIES)),
)
def test_other_tokens_files_are_refused(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(dump_authors_lines(make_attribution().attribution))
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(UserError, match=r"'t.json' has no entry 0"):
        load_authors(tmp_path / "a.jsonl", tmp_path / "t.json")


@pytest.mark.parametrize("content", ["[" * 100_000, "5", "[[1e999]]", '{"a": 1}', ""])
def test_other_attribution_files_are_refused(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(content)
    (tmp_path / "t.json").write_text(json.dumps([ENTRY]))
    with pytest.raises(UserError):
        load_authors(tmp_path / "a.jsonl", tmp_path / "t.json")


def test_authors_files_without_attention_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text(dump_authors_lines(make_attribution(unfinished=1).attribution))
    (tmp_path / "t.json").write_text(json.dumps([ENTRY]))
    loaded = load_authors(tmp_path / "a.jsonl", tmp_path / "t.json")
    assert np.isnan(loaded.attention).all()
    assert loaded.finished.tolist() == [True, False]


@pytest.mark.parametrize("change", [{"tokens": ("[CLS]",)}, {"target": 1.0}, {"target": True}, {"target": 2}])
def test_parts_that_do_not_fit_are_refused(change):
    with pytest.raises(UserError, match="do not fit"):
        replace(make_attribution(), **change)


@pytest.mark.parametrize("name", ["probabilities", "attention", "attribution"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(name, value):
    array = getattr(make_attribution(), name).copy()
    array.flat[-1] = value
    with pytest.raises(UserError, match="not finite"):
        replace(make_attribution(), **{name: array})


@pytest.mark.parametrize("n_steps", [0, -1, 2049, True, 2.5, 4.0, "4", math.nan, [4]])
def test_a_number_of_nodes_is_whole(n_steps):
    with pytest.raises(UserError, match="number of nodes is"):
        Settings(n_steps=n_steps)


@pytest.mark.parametrize("tolerance", [0, 2, -0.1, True, None, "0.1", math.nan, math.inf, [0.1]])
def test_a_tolerance_is_a_share(tolerance):
    with pytest.raises(UserError, match="tolerance is"):
        Settings(tolerance=tolerance)


def test_settings_keep_plain_numbers():
    settings = Settings(n_steps=np.int64(4), tolerance=np.float32(0.5))
    assert (type(settings.n_steps), type(settings.tolerance)) == (int, float)
    assert settings == Settings(n_steps=4, tolerance=0.5)
