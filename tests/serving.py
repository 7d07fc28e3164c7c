"""The real app on a free port of this machine, for the tests of tests/app and tests/browser."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """Starts the app once, as ``python app.py`` does, and gives its address."""
    from app import launch
    from attattr_core.ui import build_app

    app = build_app()
    _, url, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield url
    app.close()
