"""JSON files that are not trusted."""

import pytest

from attattr_core.errors import UserError
from attattr_core.files.json_files import reading_json


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
    for path in (tmp_path, tmp_path / "missing.json"):
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
