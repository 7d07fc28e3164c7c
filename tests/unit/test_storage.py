"""Result files survive a round trip exactly, and files that are not ours are refused in one sentence."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from samples import make_attribution

from attattr_core import Attribution, UserError, load_attribution, load_authors, save_attribution
from attattr_core.authors import dump_authors_lines, dump_authors_tokens
from attattr_core.storage import dump_npz


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
        assert json.loads(str(arrays["metadata"]))["version"] == 1


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


def claim_shape(shape: tuple[int, ...]) -> bytes:
    """An array file whose header promises far more than the file holds."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + b"\0" * 16


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
    "no metadata": rewrite(dump_npz(make_attribution()), "metadata.npy", dump_array(np.array("5"))),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_files_that_are_not_ours_are_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_attribution(path)
    assert "\n" not in str(caught.value)


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


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"tokens": []}]'])
def test_other_tokens_files_are_refused(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(dump_authors_lines(make_attribution().attribution))
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(UserError, match=r"'t.json' has no entry 0"):
        load_authors(tmp_path / "a.jsonl", tmp_path / "t.json")


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="do not fit"):
        replace(make_attribution(), tokens=("[CLS]",))
