"""The app's interface: the only folder that imports gradio."""

from attattr_core.ui.components import PAGE_STYLE
from attattr_core.ui.layout import build_app

__all__ = ["PAGE_STYLE", "build_app"]
