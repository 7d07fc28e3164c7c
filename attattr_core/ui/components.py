"""Small components of the page whose text is data: a sentence above the result, and files that are made on request."""

import base64
import json
import secrets
from pathlib import Path

import gradio as gr

_PAGE = Path(__file__).parent / "static" / "page"
PAGE_STYLE = _PAGE / "page.css"
_ALERT_STYLE = """
.aa-alert { border-left: 3px solid #b45309; padding: 6px 10px; margin: 2px 0; color: var(--body-text-color);
  background: var(--background-fill-secondary); overflow-wrap: anywhere; }
.aa-alert[hidden] { display: none; }
"""


def build_alert() -> gr.HTML:
    """Builds the place for one sentence about what went wrong; "" hides it."""
    return gr.HTML(
        "",
        html_template='<div class="aa-alert" role="alert" data-testid="alert" hidden></div>',
        css_template=_ALERT_STYLE,
        js_on_load=(_PAGE / "alert.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="alert",
    )


def build_downloader() -> gr.HTML:
    """Builds the invisible component that hands a file to the browser; `pack_download` makes its values."""
    return gr.HTML(
        "",
        html_template="<div></div>",
        js_on_load=(_PAGE / "download.js").read_text(encoding="utf-8"),
        visible="hidden",
        elem_id="download",
    )


def pack_download(name: str, content: bytes, media_type: str) -> str:
    """Packs a file for the downloader; the random id makes equal files two downloads."""
    data = base64.b64encode(content).decode()
    return json.dumps({"name": name, "type": media_type, "data": data, "id": secrets.token_hex(4)})
