"""What may be loaded: set by whoever runs the program, not by who types a name."""

import os
from dataclasses import dataclass

from attattr_core.errors import UserError

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class HubLimits:
    """What may be loaded besides the embedded checkpoints.

    Attributes:
        max_bytes: Largest sum of the files that a model needs, in bytes.
        offline: Whether to load from the cache only.
        curated_only: Whether to load models of the curated list only.
    """

    max_bytes: int = 2_000_000_000
    offline: bool = False
    curated_only: bool = False

    @classmethod
    def from_environment(cls, default: "HubLimits | None" = None) -> "HubLimits":
        """Reads ATTATTR_MAX_MODEL_BYTES, ATTATTR_OFFLINE and ATTATTR_MODELS_ONLY_CURATED.

        Args:
            default: Where the number of bytes is not set.

        Raises:
            UserError: For a value that is not a number of bytes, or neither yes nor no.
        """
        default = default or cls()
        max_bytes = os.environ.get("ATTATTR_MAX_MODEL_BYTES", "").strip() or str(default.max_bytes)
        if not (max_bytes.isascii() and max_bytes.isdigit()) or int(max_bytes[:19]) == 0:
            raise UserError(
                f"ATTATTR_MAX_MODEL_BYTES is {max_bytes[:80]!r}: give a number of bytes, such as {default.max_bytes}."
            )
        return cls(int(max_bytes[:19]), read_switch("ATTATTR_OFFLINE"), read_switch("ATTATTR_MODELS_ONLY_CURATED"))


def read_switch(variable: str) -> bool:
    """Reads an environment variable that is on or off.

    Raises:
        UserError: When it is neither.
    """
    value = os.environ.get(variable, "").strip().lower()
    if value not in (*_TRUE, *_FALSE):
        raise UserError(f"{variable} is {value[:80]!r}: give 1 for yes or 0 for no.")
    return value in _TRUE
