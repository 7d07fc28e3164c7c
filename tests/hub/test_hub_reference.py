"""What a person may type, and what hostile names get."""

import pytest

from attattr_core.errors import UserError
from attattr_core.hub import HubLimits, Reference, parse_reference

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sst2", Reference("embedded", "sst2")),
        (" org/name ", Reference("hub", "org/name")),
        ("name", Reference("hub", "name")),
        ("org/name@v1.0", Reference("hub", "org/name", "v1.0")),
        (f"org/name@{SHA}", Reference("hub", "org/name", SHA)),
        ("org/name@refs/pr/1", Reference("hub", "org/name", "refs/pr/1")),
        ("https://huggingface.co/org/name", Reference("hub", "org/name")),
        ("https://huggingface.co/name/", Reference("hub", "name")),
        ("https://huggingface.co/org/name?library=transformers#files", Reference("hub", "org/name")),
        (f"https://huggingface.co/org/name/tree/{SHA}", Reference("hub", "org/name", SHA)),
        ("https://huggingface.co/org/name/blob/main/config.json", Reference("hub", "org/name", "main")),
        ("https://huggingface.co/org/name/resolve/v2/model.safetensors", Reference("hub", "org/name", "v2")),
        ("https://huggingface.co/org/name/tree/refs%2Fpr%2F3", Reference("hub", "org/name", "refs/pr/3")),
        ("https://huggingface.co/org/name/discussions", None),
        ("https://hf.co/org/name", Reference("hub", "org/name")),
        ("huggingface.co/org/name", Reference("hub", "org/name")),
    ],
)
def test_names_are_understood(text, expected):
    if expected is None:
        with pytest.raises(UserError):
            parse_reference(text)
    else:
        assert parse_reference(text) == expected


def test_addresses_of_the_endpoint_that_is_set_are_understood(hub):
    assert parse_reference(f"{hub.url}/org/name/tree/v1") == Reference("hub", "org/name", "v1")


def test_a_folder_goes_before_a_hub_id(home):
    (home / "org" / "name").mkdir(parents=True)
    assert parse_reference("org/name").kind == "folder"
    assert parse_reference(home / "org").kind == "folder"
    (home / "sst2").mkdir()
    assert parse_reference("sst2").kind == "embedded"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' names no model"),
        ("   ", "names no model"),
        ("a\0b", "names no model"),
        ("org/na\nme", "names no model"),
        ("org/name\x1b[31m", "names no model"),
        ("x" * 5000, "names no model"),
        ("x" * 120, "no name that the Hub allows"),
        ("../../etc/passwd", "There is no checkpoint"),
        ("/etc/passwd", "There is no checkpoint"),
        ("~/model", "There is no checkpoint"),
        ("..\\..\\windows", "There is no checkpoint"),
        ("org/name/more", "There is no checkpoint"),
        ("org/..", "no name that the Hub allows"),
        ("org--name", "no name that the Hub allows"),
        ("<script>alert(1)</script>", "There is no checkpoint|no name that the Hub allows"),
        ("<img src=x onerror=alert(1)>", "no name that the Hub allows"),
        ("org/name@", "no revision of org/name"),
        ("org/name@../../main", "no revision of org/name"),
        ("org/name@-x", "no revision of org/name"),
        ("org/name@a b", "no revision of org/name"),
        ("https://evil.example/org/name", "not an address of the Hub"),
        ("https://huggingface.co.evil.example/org/name", "not an address of the Hub"),
        ("https://huggingface.co@evil.example/org/name", "not an address of the Hub"),
        ("ftp://huggingface.co/org/name", "not an address of the Hub"),
        ("http://[::1", "not an address of the Hub"),
        ("file:///etc/passwd", "not an address of the Hub"),
        ("https://huggingface.co/datasets/org/name", "not the address of a model"),
        ("https://huggingface.co/spaces/org/name", "not the address of a model"),
        ("https://huggingface.co/", "not the address of a model"),
        ("https://huggingface.co/org/name/tree/..%2F..%2Fmain", "no revision of org/name"),
    ],
)
def test_hostile_names_get_one_sentence(refuse, text, sentence):
    refuse(text, sentence)


def test_limits_come_from_the_environment(home, monkeypatch):
    assert HubLimits.from_environment() == HubLimits()
    monkeypatch.setenv("ATTATTR_MAX_MODEL_BYTES", "1000")
    monkeypatch.setenv("ATTATTR_OFFLINE", "yes")
    monkeypatch.setenv("ATTATTR_MODELS_ONLY_CURATED", "1")
    assert HubLimits.from_environment() == HubLimits(1000, True, True)
    for variable, value in (("ATTATTR_MAX_MODEL_BYTES", "two"), ("ATTATTR_OFFLINE", "perhaps")):
        monkeypatch.setenv(variable, value)
        with pytest.raises(UserError, match=f"{variable} is '{value}'"):
            HubLimits.from_environment()
        monkeypatch.delenv(variable)
