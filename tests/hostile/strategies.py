"""What is drawn: texts, JSON, bytes, and valid files with something changed; and what every answer has to be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from attattr_core import UserError

#: Texts that have harmed somebody somewhere.
NASTY = (
    "",
    " \t\n",
    "\0",
    "\ud800",
    "a\udfff b",
    "\u202etxt.exe\u202c",
    "\u200f\u200e\ufeff",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "${alert(1)} {{constructor.constructor('alert(1)')()}}",
    "javascript:alert(1)",
    "../../../secret.txt",
    "/etc/passwd",
    "C:\\Windows\\win.ini",
    "%2e%2e%2fsecret.txt",
    "__proto__",
    "=1+1",
    "$x^{2",
    "'; DROP TABLE users; --",
    "[CLS] [SEP] [MASK] [PAD]",
    "e\u0301" * 40,
    "🙂🏳️‍🌈👩‍👩‍👧",
    "שלום עולם",
    "字" * 300,
    "a" * 5000,
    "9" * 5000,
)
texts = st.sampled_from(NASTY) | st.text(st.characters(), max_size=60)
names = st.sampled_from(NASTY) | st.text(max_size=20)
numbers = (
    st.sampled_from([0, -1, 1, 2**31, 2**53, 2**63, 2**64, 10**30, 10**400, 1e308, 5e-324, float("inf"), float("nan")])
    | st.integers(-10, 300)
    | st.floats()
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda part: st.lists(part, max_size=4) | st.dictionaries(names, part, max_size=4), max_leaves=8
)
#: A list in a list in a list, as deep as JSON is read, and deeper.
DEPTHS = (10, 400, 900, 100_000)


@st.composite
def bent_bytes(draw, original: bytes) -> bytes:
    """A file with some bytes flipped, cut, doubled, left out or put in."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["flip", "flip", "overwrite", "cut", "double", "leave out", "put in"])):
            case "flip" if content:
                content[place] ^= 1 << draw(st.integers(0, 7))
            case "overwrite":
                extra = draw(st.binary(min_size=1, max_size=8))
                content[place : place + len(extra)] = extra
            case "cut":
                del content[place:]
            case "double":
                content[place:place] = content[place : place + draw(st.integers(1, 200))]
            case "leave out":
                del content[place : place + draw(st.integers(1, 200))]
            case "put in":
                content[place:place] = draw(st.binary(max_size=20))
    return bytes(content)


@st.composite
def bent_json(draw, original: Any, *, most: int = 3) -> Any:
    """Valid content with some parts replaced, left out, doubled or swapped, at any depth."""
    content = json.loads(json.dumps(original))
    for _ in range(draw(st.integers(1, most))):
        parent, key = draw(_places(content))
        if parent is None:
            return draw(values)
        match draw(st.sampled_from(["replace", "replace", "replace", "leave out", "add", "swap"])):
            case "replace":
                parent[key] = draw(values)
            case "leave out":
                del parent[key]
            case "add" if isinstance(parent, dict):
                parent[draw(names)] = draw(values)
            case "add":
                parent.insert(key, draw(values) if draw(st.booleans()) else parent[key])
            case "swap":
                other = draw(st.sampled_from(list(_keys(parent))))
                parent[key], parent[other] = parent[other], parent[key]
    return content


@st.composite
def _places(draw, content: Any) -> tuple[Any, Any]:
    """A part of the content: what holds it, and under which key; mostly not far down, where the fields are."""
    parent, key, part = None, None, content
    while isinstance(part, dict | list) and part and (parent is None or draw(st.integers(0, 2))):
        parent, key = part, draw(st.sampled_from(list(_keys(part))))
        part = parent[key]
    return parent, key


def _keys(parent: Any) -> Any:
    return parent if isinstance(parent, dict) else range(len(parent))


def nest(depth: int) -> bytes:
    """JSON that is nested."""
    return b"[" * depth + b"]" * depth


def check_sentence(sentence: str, *, most: int = 700) -> None:
    """Checks that a person can read what went wrong: a sentence, not what Python has to say."""
    assert sentence.strip(), "an empty sentence"
    assert sentence.rstrip().endswith((".", "?", ")")), sentence
    assert len(sentence) <= most, sentence
    assert not sentence.startswith("The server failed at this"), "a fault of the server's own"
    for word in ("Traceback", "<class ", "Error:", "Exception", "site-packages", ".py", "object at 0x"):
        assert word not in sentence, sentence
    sentence.encode()  # no halves of characters


def refuse_or(read: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a reader gives; None where it refused in a sentence. Everything else is raised."""
    try:
        return read(*arguments, **options)
    except UserError as error:
        check_sentence(str(error))
        return None


def write(folder: Path, name: str, content: Any) -> Path:
    """Writes a file: bytes as they are, anything else as JSON that other programs might write."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path
