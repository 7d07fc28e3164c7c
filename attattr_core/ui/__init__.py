"""The app's interface: the only folder that imports gradio."""

from attattr_core.ui.importing import import_gradio

import_gradio()  # before the modules below do

from attattr_core.ui.components import PAGE_HEAD, PAGE_SCRIPT, PAGE_STYLE  # noqa: E402
from attattr_core.ui.layout import build_app  # noqa: E402
from attattr_core.ui.models import Models  # noqa: E402
from attattr_core.ui.work import find_cache  # noqa: E402

__all__ = ["PAGE_HEAD", "PAGE_SCRIPT", "PAGE_STYLE", "Models", "build_app", "find_cache"]
