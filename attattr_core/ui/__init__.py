"""The app's interface: the only folder that imports gradio."""

from attattr_core.ui.components import PAGE_STYLE
from attattr_core.ui.layout import build_app
from attattr_core.ui.models import Models
from attattr_core.ui.work import find_cache

__all__ = ["PAGE_STYLE", "Models", "build_app", "find_cache"]
