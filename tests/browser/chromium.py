"""Where Chromium is and how it starts without a screen."""

import shutil

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def find_chromium() -> str | None:
    """Finds Debian's Chromium; None where none is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")
