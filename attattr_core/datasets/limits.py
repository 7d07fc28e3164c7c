"""How much data may be read: set by whoever runs the program, not by who names a file."""

import os
from dataclasses import dataclass

from attattr_core.errors import UserError

MAX_ROWS = 1_000_000
MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class DataLimits:
    """How much data may be read.

    Attributes:
        max_rows: Largest number of rows of one data set.
        max_bytes: Largest size in bytes: of a file, of what it decompresses to, and of a download.
    """

    max_rows: int = MAX_ROWS
    max_bytes: int = MAX_BYTES

    @classmethod
    def from_environment(cls, default: "DataLimits | None" = None) -> "DataLimits":
        """Read ATTATTR_MAX_ROWS and ATTATTR_MAX_DATA_BYTES.

        Args:
            default: Where they are not set.

        Raises:
            UserError: For a value that is not a number of rows or bytes.
        """
        default = default or cls()
        return cls(
            read_number("ATTATTR_MAX_ROWS", "rows", default.max_rows),
            read_number("ATTATTR_MAX_DATA_BYTES", "bytes", default.max_bytes),
        )


#: For a page that strangers may use.
APP_LIMITS = DataLimits(100_000, 64_000_000)


def read_number(variable: str, unit: str, default: int) -> int:
    """Reads an environment variable that is a whole number from 1 on.

    Raises:
        UserError: When it is none; the sentence names the unit.
    """
    given = os.environ.get(variable, "").strip() or str(default)
    if not (given.isascii() and given.isdigit()) or int(given[:19]) == 0:
        raise UserError(f"{variable} is {given[:80]!r}: give a number of {unit}, such as {default}.")
    return int(given[:19])
