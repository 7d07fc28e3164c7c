"""Bundles survive a round trip, and ZIP files that are not what they say are refused in one sentence."""

import io
import json
import struct
import xml.etree.ElementTree as ET
import zipfile

import numpy as np
import pytest
from samples import make_attribution

from attattr_core import UserError, load_attribution, load_bundle, save_attribution, save_bundle
from attattr_core.bundle import dump_bundle, list_versions
from attattr_core.files.archives import opening_archive, pack_archive
from attattr_core.storage import dump_npz

VIEW = {"tab": "tree", "layer": "2", "head": "sum", "threshold": "0.2"}
BUNDLE = dump_bundle(make_attribution(), view=VIEW)


def read_members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, content: bytes):
    path.write_bytes(content)
    return path


def rewrite(**changes) -> bytes:
    """The bundle with members replaced or added, by names with a dot for "__"."""
    return pack_archive(read_members(BUNDLE) | {name.replace("__", "."): data for name, data in changes.items()})


def edit_settings(**changes) -> bytes:
    settings = json.loads(read_members(BUNDLE)["settings.json"])
    return rewrite(settings__json=json.dumps({**settings, **changes}).encode())


def test_a_bundle_brings_the_result_and_the_view_back(tmp_path):
    attribution = make_attribution()
    save_bundle(attribution, tmp_path / "bundle.zip", view=VIEW)
    bundle = load_bundle(tmp_path / "bundle.zip")
    assert bundle.view == VIEW
    for loaded in (bundle.attribution, load_attribution(tmp_path / "bundle.zip")):
        np.testing.assert_array_equal(loaded.attribution, attribution.attribution)
        assert (loaded.texts, loaded.settings) == (attribution.texts, attribution.settings)


def test_a_plain_result_has_no_view(tmp_path):
    for name in ("result.npz", "result.json"):
        save_attribution(make_attribution(), tmp_path / name)
        assert load_bundle(tmp_path / name).view is None


def test_what_a_bundle_holds_beside_the_result():
    members = read_members(BUNDLE)
    settings = json.loads(members["settings.json"])
    assert (settings["checkpoint"], settings["revision"], settings["target"]) == ("sst2", "abc", "yes")
    assert settings["settings"] == make_attribution().settings.as_dict()
    assert json.loads(members["versions.json"]) == list_versions()
    assert {"attattr_source_sha256", "python", "torch", "transformers"} <= set(list_versions())
    assert json.loads(members["tree.json"])["format"] == "attattr-tree"
    for name in ("heatmap.svg", "tree.svg"):
        assert ET.fromstring(members[name]).tag.endswith("svg")
    assert b"load_attribution" in members["README.txt"]
    assert {info.date_time[0] for info in zipfile.ZipFile(io.BytesIO(BUNDLE)).infolist()} == {1980}


def test_members_are_read_by_their_names_only_and_others_lie_untouched(tmp_path):
    content = rewrite(**{"../../evil__txt": b"x", "/etc/evil": b"x", "result__npz/": b""})
    load_bundle(write(tmp_path / "bundle.zip", content))
    assert [path.name for path in tmp_path.rglob("*")] == ["bundle.zip"]


def bomb(n_bytes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("result.npz", "w") as member:
        for _ in range(n_bytes >> 20):
            member.write(bytes(1 << 20))
    return buffer.getvalue()


def many(n: int) -> bytes:
    return pack_archive({f"{number}.svg": b"" for number in range(n)})


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("result.npz", dump_npz(make_attribution()))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("result.npz", b"another")
    return buffer.getvalue()


def find_list(content: bytes) -> int:
    """Where the list of members begins; a result inside has one of its own."""
    return struct.unpack("<L", content[-6:-2])[0]


def mark(place: int, data: bytes) -> bytes:
    """The bundle with a field of its first member overwritten in both of its headers."""
    content = bytearray(BUNDLE)
    for start in (place, find_list(BUNDLE) + place + 2):
        content[start : start + len(data)] = data
    return bytes(content)


def claim_size(content: bytes, n_bytes: int) -> bytes:
    """The archive whose list says that a member is of this size."""
    edited = bytearray(content)
    start = find_list(content)
    edited[start + 24 : start + 28] = struct.pack("<L", n_bytes)
    return bytes(edited)


def add_zip64() -> bytes:
    """The bundle with the record of large archives before its end, which says what it likes."""
    end = BUNDLE.rindex(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 24, 1 << 24, 1 << 30, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    return BUNDLE[:end] + record + locator + BUNDLE[end:]


PICKLED = io.BytesIO()
np.savez(PICKLED, metadata=np.array([{}], object), allow_pickle=True)
SENTENCES = {
    "bomb": (bomb(64 << 20), "unpacks to more than 100 times its size"),
    "larger than is read": (claim_size(pack_archive({"a": b"x" * 9}), 1 << 30), "unpacks to 1,073,741,824 bytes"),
    "many members": (many(40), "holds more than 32 parts"),
    "a list of members without end": (many(40).replace(struct.pack("<H", 40) * 2, struct.pack("<H", 1) * 2), "32"),
    "a list of a large archive": (add_zip64(), "holds more than 32 parts"),
    "two of one name": (twice(), "two parts of one name"),
    "encrypted": (mark(6, b"\x01\x00"), "is encrypted"),
    "packed otherwise": (mark(8, b"\x0e\x00"), "packed in a way that is not read"),
    "cut off": (BUNDLE[:-30], "cut off"),
    "with a comment": (BUNDLE[:-2] + b"\x03\x00abc", "cut off, or no ZIP that is read"),
    "a shorter member than it says": (
        claim_size(pack_archive({"result.npz": dump_npz(make_attribution())}), 99_000),
        "a 'result.npz' that is shorter than it says",
    ),
    "no result": (pack_archive({"settings.json": b"{}"}), "is not a result file"),
    "pickled result": (rewrite(result__npz=PICKLED.getvalue()), "is not a result file"),
    "text for a result": (rewrite(result__npz=b"hello" * 9), "is cut off, or no ZIP"),
    "a bundle in a bundle": (rewrite(result__npz=BUNDLE), "is not a result file"),
    "settings that are none": (rewrite(settings__json=b"[1"), "settings.json of 'bundle.zip' is damaged"),
    "settings without end": (rewrite(settings__json=b" " * 70_000), "up to 65,536 are read"),
    "settings of another program": (edit_settings(format="other"), "settings.json of 'bundle.zip' is damaged"),
    "settings of a later version": (edit_settings(version="9\n" * 500), "has version"),
    "a view of numbers": (edit_settings(view={"layer": 3}), "is damaged"),
    "a view of long words": (edit_settings(view={"layer": "3" * 900}), "is damaged"),
    "a view of odd names": (edit_settings(view={"__proto__": "x"}), "is damaged"),
    "a view without end": (edit_settings(view={f"a{number}": "x" for number in range(99)}), "is damaged"),
}


@pytest.mark.parametrize(("content", "said"), SENTENCES.values(), ids=SENTENCES.keys())
def test_hostile_archives_are_refused_in_one_sentence(tmp_path, content, said):
    with pytest.raises(UserError) as caught:
        load_bundle(write(tmp_path / "bundle.zip", content))
    assert said in str(caught.value)
    assert "'bundle.zip'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_no_more_is_unpacked_than_a_member_says():
    content = claim_size(pack_archive({"a": b"\0" * 5000}), 10)
    with opening_archive(io.BytesIO(content), max_bytes=1000) as archive, pytest.raises(zipfile.BadZipFile):
        archive.read("a", max_bytes=1000)
