"""Small components of the page whose text is data: a sentence above the result, and files that are made on request."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from attattr_core.errors import UserError

_PAGE = Path(__file__).parent / "static" / "page"
PAGE_STYLE = _PAGE / "page.css"
PAGE_SCRIPT = (_PAGE / "access.js").read_text(encoding="utf-8").partition("\n")[2]  # a function, without its comment
PAGE_HEAD = f"<style>{(_PAGE / 'access.css').read_text(encoding='utf-8')}</style>"
STATUS_STYLE = """
.aa-status { border-left: 3px solid var(--border-color-primary); padding: 6px 10px; color: var(--body-text-color);
  background: var(--background-fill-secondary); overflow-wrap: anywhere; }
.aa-status.aa-error { border-left-color: #b45309; }
.aa-status[hidden] { display: none; }
.aa-status.aa-floating { position: fixed; z-index: 60; left: 16px; right: 16px; bottom: 16px; cursor: pointer;
  background: var(--background-fill-primary); box-shadow: 0 2px 12px rgb(0 0 0 / 35%); }
"""


@contextmanager
def taking_upload(path: str | None) -> Iterator[Path]:
    """Gives a file that a visitor uploaded, and deletes it afterwards: it holds a text of that visitor's.

    Raises:
        UserError: When there is none.
    """
    if not path:
        raise UserError("No file came with this: choose one to open.")
    try:
        yield Path(path)
    finally:
        Path(path).unlink(missing_ok=True)


def build_status() -> gr.HTML:
    """Builds the place for one sentence above the result; its values are "", `tell` or `warn`."""
    return gr.HTML(
        "",
        html_template='<div class="aa-status" role="status" data-testid="status" hidden></div>',
        css_template=STATUS_STYLE,
        js_on_load=(_PAGE / "status.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="status",
    )


def build_device() -> gr.HTML:
    """Builds the end of the header line: where and in which precision models run."""
    return gr.HTML(
        "",
        html_template='<div class="aa-device" data-testid="device"></div>',
        css_template=".aa-device { color: var(--body-text-color-subdued); font-size: 13px; min-height: 1.4em; }",
        js_on_load=(_PAGE / "device.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="device",
    )


def tell(sentence: str) -> str:
    """Says what is going on."""
    return json.dumps({"kind": "note", "text": sentence}).replace("<", "\\u003c")


def warn(sentence: str) -> str:
    """Says what went wrong."""
    return json.dumps({"kind": "error", "text": sentence}).replace("<", "\\u003c")


def build_downloader() -> gr.HTML:
    """Builds the invisible component that hands a file to the browser; `pack_download` makes its values."""
    return gr.HTML(
        "",
        html_template="<div></div>",
        js_on_load=(_PAGE / "download.js").read_text(encoding="utf-8"),
        visible="hidden",
        elem_id="download",
    )


def build_messenger() -> gr.HTML:
    """Builds the invisible component that brings whole maps to the heatmaps, whose own value stays the result."""
    return gr.HTML(
        "",
        html_template="<div></div>",
        js_on_load=(_PAGE / "whole.js").read_text(encoding="utf-8"),
        visible="hidden",
        elem_id="whole",
    )


def pack_download(name: str, content: bytes, media_type: str) -> str:
    """Packs a file for the downloader; the random id makes equal files two downloads."""
    data = base64.b64encode(content).decode()
    return json.dumps({"name": name, "type": media_type, "data": data, "id": secrets.token_hex(4)})
