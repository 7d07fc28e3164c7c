"""JSON files that are not trusted."""

import pytest

from attattr_core.errors import UserError
from attattr_core.files import json_files
from attattr_core.files.json_files import MAX_COUNT, read_count, reading_json


def read(path, **options):
    with reading_json(path, **{"max_bytes": 1 << 20, "complaint": "is no menu", **options}) as content:
        return content["soup"]


def test_what_a_file_holds_is_given(tmp_path):
    (tmp_path / "menu.json").write_text('{"soup": "leek"}', encoding="utf-8")
    assert read(tmp_path / "menu.json") == "leek"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"salad": 1}', b"\xff\xfe{}", b"[" * 200_000, b"1" * 10_000], ids=range(7)
)
def test_whatever_is_wrong_becomes_one_sentence(tmp_path, content):
    (tmp_path / "menu.json").write_bytes(content)
    with pytest.raises(UserError, match=r"^'menu.json' is no menu\.$"):
        read(tmp_path / "menu.json")


def test_missing_and_large_files_are_not_opened(tmp_path):
    for path in (tmp_path, tmp_path / "missing.json", tmp_path / ("long" * 100)):
        with pytest.raises(UserError, match=f"There is no file '{path}'"):
            read(path)
    (tmp_path / "large.json").write_bytes(b" " * (2 << 20))
    with pytest.raises(UserError, match="larger than 1 MiB"):
        read(tmp_path / "large.json")


@pytest.mark.parametrize(
    ("said", "told"),
    [("This file is too salty.", "'menu.json' is too salty."), ("Unknown rule 'magic'.", "'menu.json' is no menu.")],
)
def test_a_reader_may_know_better(tmp_path, said, told):
    path = tmp_path / "menu.json"
    path.write_text('{"soup": "leek"}', encoding="utf-8")
    with pytest.raises(UserError, match=f"^{told}$"), reading_json(path, max_bytes=100, complaint="is no menu"):
        raise UserError(said)


def test_a_file_of_endless_small_parts_is_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "MAX_PARTS", 1000)
    for part in (b"[],", b"{},", b"[[]],"):
        (tmp_path / "menu.json").write_bytes(b"[" + part * 1000 + b"0]")
        with pytest.raises(UserError, match=r"'menu.json' holds more than 1,000 lists and objects"):
            read(tmp_path / "menu.json")


def test_counts_are_whole_numbers_that_any_program_can_read():
    assert [read_count(value) for value in (0, 7, MAX_COUNT)] == [0, 7, MAX_COUNT]
    for value in (-1, MAX_COUNT + 1, 10**30, True, 1.0, "1", None, float("nan")):
        with pytest.raises((TypeError, ValueError)):
            read_count(value)
