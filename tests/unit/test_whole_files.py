"""Files are whole whatever breaks off and whoever else writes them at once."""

import os
import threading

import pytest

from attattr_core import UserError
from attattr_core.files.whole_files import replacing


def write(path, text: bytes) -> None:
    with replacing(path) as file:
        file.write(text)


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path, monkeypatch):
    """The second one writes the whole file while the first one is between writing and replacing."""
    path, own, others = tmp_path / "state", os.fsync, []

    def sync(number):
        own(number)
        if not others:
            others.append(threading.Thread(target=write, args=(path, b"second")))
            others[0].start()
            others[0].join()
            assert path.read_bytes() == b"second"

    monkeypatch.setattr(os, "fsync", sync)
    write(path, b"first")
    assert path.read_bytes() == b"first"
    assert [found.name for found in tmp_path.iterdir()] == ["state"]


def test_what_breaks_off_leaves_the_old_file(tmp_path):
    path = tmp_path / "state"
    write(path, b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("no bytes")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["state"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "nowhere" / "state", b"")
