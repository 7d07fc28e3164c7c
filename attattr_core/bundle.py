"""Bundles: one ZIP with a result, pictures of it, its tree, its settings, and how it was looked at."""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.files.archives import opening_archive, pack_archive
from attattr_core.files.whole_files import write_whole
from attattr_core.storage import MAX_BYTES, RESULT, dump_npz, load_attribution
from attattr_core.trees.tree import AttributionTree, build_tree
from attattr_core.view import find_strongest_head, select_map

FORMAT, VERSION = "attattr-bundle", 1
SETTINGS, VERSIONS, README = "settings.json", "versions.json", "README.txt"
MAX_SETTINGS_BYTES = 64 << 10
_MOST_WORDS = 64
_NAME, _MOST_CHARACTERS = re.compile(r"[a-z][a-z0-9-]{0,31}"), 200
_PACKAGES = ("torch", "transformers", "gradio", "numpy")


@dataclass(frozen=True, eq=False)
class Bundle:
    """What a bundle holds that is read again.

    Attributes:
        attribution: The result.
        view: How it was looked at: names and values of a link to the page (`tab`, `layer`, `edges` …), not trusted;
            None for a plain result file.
    """

    attribution: Attribution
    view: Mapping[str, str] | None


def dump_bundle(
    attribution: Attribution,
    *,
    view: Mapping[str, str] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    tree: AttributionTree | None = None,
) -> bytes:
    """Packs a bundle.

    Args:
        attribution: The result.
        view: How it is looked at; nothing when None.
        pictures: Files of pictures by name; by default the maps of the strongest head and the tree, as SVG.
        tree: The tree; by default that of `build_tree`.

    Returns:
        The content of a ZIP file that `load_bundle` and `load_attribution` read.
    """
    # Imported only now, since whoever reads bundles needs neither matplotlib nor networkx.
    from attattr_core.pictures import draw_maps, render
    from attattr_core.trees.files import dump_tree
    from attattr_core.trees.pictures import draw_tree

    tree = tree or build_tree(attribution)
    if pictures is None:
        strongest = select_map(attribution, *find_strongest_head(attribution), words=True)
        pictures = {"heatmap.svg": render(draw_maps(strongest), "svg"), "tree.svg": render(draw_tree(tree), "svg")}
    described = {
        "format": FORMAT,
        "version": VERSION,
        "checkpoint": attribution.model,
        "revision": attribution.revision,
        "target": attribution.labels[attribution.target],
        "settings": attribution.settings.as_dict(),
        "view": dict(view or {}),
    }
    return pack_archive(
        {
            README: _describe(attribution).encode(),
            RESULT: dump_npz(attribution),
            SETTINGS: _to_json(described),
            VERSIONS: _to_json(list_versions()),
            "tree.json": dump_tree(tree).encode(),
            **pictures,
        }
    )


def save_bundle(attribution: Attribution, path: str | Path, **parts: Any) -> None:
    """Saves a bundle; parts are those of `dump_bundle`."""
    write_whole(path, dump_bundle(attribution, **parts))


def load_bundle(path: str | Path) -> Bundle:
    """Loads a bundle, or a plain result file, which has no view; the file is not trusted.

    Raises:
        UserError: When the file is missing, too large, damaged, of a later version or something else.
    """
    attribution = load_attribution(path)
    try:
        return Bundle(attribution, _read_view(Path(path)))
    except UserError as error:
        raise UserError(str(error).replace("This file", repr(Path(path).name))) from error
    except Exception as error:  # json, zipfile, and whatever wrong types of a damaged file raise
        raise UserError(f"The {SETTINGS} of {Path(path).name!r} is damaged: save the bundle again.") from error


def list_versions() -> dict[str, str]:
    """Lists what numbers and pictures depend on: this program's source and the packages."""
    versions = {"attattr_source_sha256": _digest_source(), "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # the library works without gradio
            continue
    return versions


@cache
def _digest_source() -> str:
    """What identifies this program's code, with or without a repository around it."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".js", ".css")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _read_view(path: Path) -> dict[str, str] | None:
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return None
        with opening_archive(file, max_bytes=MAX_BYTES) as archive:
            if SETTINGS not in archive.names:
                return None
            content = json.loads(archive.read(SETTINGS, max_bytes=MAX_SETTINGS_BYTES))
    if content["format"] != FORMAT:
        raise ValueError("another format")
    if content["version"] != VERSION:
        raise UserError(f"This file has version {str(content['version'])[:80]!r}, but this program reads {VERSION}.")
    return check_view(content["view"])


def check_view(view: Any) -> dict[str, str]:
    """Checks that a view is a few short words; what they mean is for the page to say.

    Raises:
        ValueError: When it is something else.
    """
    pairs = list(view.items())
    if len(pairs) > _MOST_WORDS or not all(_fits(*pair) for pair in pairs):
        raise ValueError("no view")
    return dict(pairs)


def _fits(name: Any, value: Any) -> bool:
    is_text = isinstance(name, str) and isinstance(value, str)
    return is_text and _NAME.fullmatch(name) is not None and len(value) <= _MOST_CHARACTERS


def _describe(attribution: Attribution) -> str:
    label = attribution.labels[attribution.target]
    return f"""A result of AttAttr Explorer: which attention inside {attribution.model} made it say "{label}".

Open this file on the page with "Open result file" to see it as it was; no need to unpack it.

{RESULT}     the result with the text: attention and attribution of every layer and head (NumPy; no pickle)
{SETTINGS}  checkpoint and its revision, label, convention, and what of it was shown
{VERSIONS}  this program's code (SHA-256 of its source) and the packages
tree.json      the attribution tree
*.svg          pictures of what was shown

In Python: attattr_core.load_attribution("this file.zip"). The files hold the text that was explained.
"""


def _to_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
