"""The real app on a free port of this machine, for the tests of tests/app and tests/browser."""

import os
from collections.abc import Iterator

import httpx
import pytest

for _step in ("connect", "read", "write", "pool"):  # of httpx itself 5 s: a busy machine is slow, not wrong
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, _step, 60.0)

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def models() -> object:
    """What the app offers: everything, and this machine's folders."""
    from attattr_core.ui import Models

    return Models(folders=True)


@pytest.fixture(scope="session")
def app_url(models) -> Iterator[str]:
    """Starts the app once, as ``python app.py`` does, and gives its address."""
    from app import launch
    from attattr_core.ui import build_app

    app = build_app(models)
    _, url, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield url
    app.close()


@pytest.fixture
def served(hub, models) -> Iterator[object]:
    """The Hub of the tests, with an app that has not heard of its models yet."""
    from attattr_core.ui import find_cache

    models.forget()
    yield hub
    models.forget()
    find_cache().clear()


def answers(url: str) -> bool:
    """Whether a server that is being started, or has ended, answers at this address."""
    try:
        return httpx.get(f"{url}healthz").status_code == 200
    except httpx.TransportError:
        return False
