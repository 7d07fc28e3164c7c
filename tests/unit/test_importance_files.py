"""Importance files: what is saved is read bit for bit, the authors' lists are read, and no file is trusted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from attattr_core import Settings, UserError
from attattr_core.heads.importance_files import (
    dump_importance,
    find_saved,
    is_same_work,
    load_importance,
    name_file,
    save_importance,
)
from attattr_core.heads.results import HeadImportance

MADE = HeadImportance(
    values=np.random.default_rng(0).standard_normal((3, 4)) * 1e-3,
    method="attattr",
    model="sst2",
    revision="abc",
    data="dev “set”.tsv",
    data_sha256="0" * 64,
    n_examples=200,
    seed=7,
    settings=Settings(rule="left", n_steps=20),
    versions={"torch": "2"},
)


def test_a_saved_importance_is_read_bit_for_bit(tmp_path):
    for importance in (MADE, replace(MADE, method="taylor", settings=None, seed=None, versions=None)):
        save_importance(importance, tmp_path / "a.json")
        found = load_importance(tmp_path / "a.json", shape=(3, 4))
        np.testing.assert_array_equal(found.values, importance.values)
        assert found.values.dtype == np.float64
        for name in ("method", "model", "revision", "data", "data_sha256", "n_examples", "seed", "settings"):
            assert getattr(found, name) == getattr(importance, name)
        assert found.versions == (importance.versions or {})
    with pytest.raises(UserError, match=r"save an importance as \.json"):
        save_importance(MADE, tmp_path / "a.csv")


def test_the_authors_lists_are_read(tmp_path):
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(list(range(12))))
    flat = load_importance(path, shape=(3, 4))
    np.testing.assert_array_equal(flat.values, np.arange(12).reshape(3, 4))
    assert (flat.method, flat.settings) == ("attattr", Settings(rule="left", n_steps=20))
    with pytest.raises(UserError, match=r"'theirs\.json' is a plain list of 12 numbers, which does not say"):
        load_importance(path)
    with pytest.raises(UserError, match="12 numbers, but the model has 5 layers of 4 heads"):
        load_importance(path, shape=(5, 4))
    path.write_text(json.dumps([[1, 2.5], [3, 4], [5, 6]]))
    nested = load_importance(path)
    np.testing.assert_array_equal(nested.values, [[1, 2.5], [3, 4], [5, 6]])
    assert nested.method == "taylor-authors"
    path.write_text('{"head_importance": [[1, 2], [3, 4]]}')
    np.testing.assert_array_equal(load_importance(path).values, [[1, 2], [3, 4]])


def test_the_authors_own_files_are_read(golden):
    for task in ("sst-2", "mnli"):
        assert load_importance(golden / task / "head_importance_attr.json", shape=(12, 12)).values.shape == (12, 12)
        assert load_importance(golden / task / "head_importance_taylor.json").values.shape == (12, 12)


def test_another_models_file_is_refused(tmp_path):
    save_importance(MADE, tmp_path / "a.json")
    with pytest.raises(UserError, match="about 3 layers of 4 heads, but the model has 6 layers of 12 heads"):
        load_importance(tmp_path / "a.json", shape=(6, 12))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "3",
        "[]",
        "[[]]",
        "[[], []]",
        "[[1, 2], [3]]",
        "[[1, 2], 3]",
        '["1", "2"]',
        "[[true, false]]",
        "[[[1]]]",
        "[[NaN, 1]]",
        "[[1e999, 1]]",
        "[" + "9" * 400 + "]",
        "[" * 100_000,
        '{"format": "other"}',
        '{"head_importance": null}',
        '{"head_importance": [[1, "2"]]}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=r"'bad\.json' holds no head importance"):
        load_importance(path, shape=(1, 2))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "magic"},
        {"n_examples": -1},
        {"n_examples": "3"},
        {"seed": "3"},
        {"seed": -3},
        {"settings": {"rule": "magic"}},
        {"settings": {"other": 1}},
        {"versions": 3},
        {"n_layers": 4},
        {"head_importance": [[1, None]]},
        {"model": None, "versions": None},
    ],
    ids=str,
)
def test_a_changed_file_is_one_sentence(tmp_path, change):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({**json.loads(dump_importance(MADE)), **change}))
    with pytest.raises(UserError) as caught:
        load_importance(path)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        load_importance(tmp_path / "none.json")
    path = tmp_path / "later.json"
    path.write_text(json.dumps({**json.loads(dump_importance(MADE)), "version": 2}))
    with pytest.raises(UserError, match=r"'later\.json' has version 2, but this program reads up to 1: update it"):
        load_importance(path)
    with path.open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(UserError, match="larger than 4 MiB"):
        load_importance(path)


def test_a_file_is_reused_for_the_same_work_only(tmp_path):
    path = tmp_path / name_file(MADE)
    assert find_saved(path, MADE) is None
    save_importance(MADE, path)
    wanted = replace(MADE, values=np.empty((0, 0)), model="named otherwise", versions=None)
    assert name_file(wanted) == path.name
    np.testing.assert_array_equal(find_saved(path, wanted).values, MADE.values)
    for change in (
        {"method": "taylor"},
        {"revision": "abd"},
        {"data_sha256": "1" * 64},
        {"n_examples": 199},
        {"seed": None},
        {"settings": Settings()},
    ):
        other = replace(wanted, **change)
        assert find_saved(path, other) is None
        assert name_file(other) != path.name
    unknown = replace(MADE, revision="")
    assert not is_same_work(unknown, unknown)  # weights that nothing identifies
    path.write_text("{")
    assert find_saved(path, wanted) is None
