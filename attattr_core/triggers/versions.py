"""Which packages computed a result."""

import platform
from importlib.metadata import version


def list_versions() -> dict[str, str]:
    """Lists the versions that numbers depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "transformers")}}
