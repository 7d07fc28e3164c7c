"""ZIP archives that are not trusted: members are read by name into memory, after their sizes were looked at."""

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from attattr_core.errors import UserError

_MOST_MEMBERS = 32
_MOST_DIRECTORY_BYTES = 64 << 10
_MOST_RATIO = 100  # of all members together; attention hardly shrinks, whatever else there is
_SMALL = 1 << 20  # bytes that are read whatever they were packed to
_END = struct.Struct("<4s4H2LH")  # the record at the end: how many members there are, and how long their list is
_ENCRYPTED = 1
_TOO_MANY = f"This file holds more than {_MOST_MEMBERS} parts, as no result does."
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """An open archive whose declared sizes are within limits; `opening_archive` makes it."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Takes an archive that was checked."""
        self._archive = archive
        self._members = {info.filename: info for info in archive.infolist()}

    @property
    def names(self) -> set[str]:
        """Names of the members, which are never used as paths."""
        return set(self._members)

    def size(self, name: str) -> int:
        """Declared size of a member in bytes; reading never gives more."""
        return self._members[name].file_size

    def open(self, name: str) -> BinaryIO:
        """Opens a member."""
        return self._archive.open(self._members[name])

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Reads a member whole.

        Raises:
            UserError: When it is missing, larger than is read, or not as long as it says.
        """
        if name not in self._members:
            raise UserError(f"This file holds no {name!r}.")
        if self.size(name) > max_bytes:
            raise UserError(f"This file holds a {name!r} of {self.size(name):,} bytes: up to {max_bytes:,} are read.")
        with self.open(name) as member:
            content = member.read()
        if len(content) != self.size(name):
            raise UserError(f"This file holds a {name!r} that is shorter than it says.")
        return content


@contextmanager
def opening_archive(file: BinaryIO, *, max_bytes: int) -> Iterator[Archive]:
    """Opens a ZIP archive after looking at what it says of itself.

    Args:
        file: The archive, which can be sought in.
        max_bytes: Most bytes of all members together, unpacked.

    Raises:
        UserError: Whose sentence starts with "This file", for an archive with too many members, two of one name,
            encrypted or oddly packed ones, or more bytes than are read.
    """
    _check_end(file)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise UserError(_TOO_MANY)
        if len({info.filename for info in members}) < len(members):
            raise UserError("This file holds two parts of one name: save it again.")
        if any(info.flag_bits & _ENCRYPTED for info in members):
            raise UserError("This file is encrypted: save it without a password.")
        if any(info.compress_type not in _METHODS for info in members):
            raise UserError("This file is packed in a way that is not read here: pack it as a common ZIP.")
        n_bytes, n_packed = (sum(getattr(info, name) for info in members) for name in ("file_size", "compress_size"))
        if n_bytes > max_bytes:
            raise UserError(f"This file unpacks to {n_bytes:,} bytes: up to {max_bytes:,} are read.")
        if n_bytes > max(_SMALL, _MOST_RATIO * n_packed):
            raise UserError(f"This file unpacks to more than {_MOST_RATIO} times its size, as no result does.")
        yield Archive(archive)


def pack_archive(members: dict[str, bytes]) -> bytes:
    """Packs an archive without dates, so that equal contents give equal files; what is packed already is stored."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            method = zipfile.ZIP_STORED if name.endswith((".npz", ".png")) else zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compress_type=method)
    return buffer.getvalue()


def _check_end(file: BinaryIO) -> None:
    """Looks at the end of an archive before `zipfile` makes an object of each member that its list names."""
    n_bytes = file.seek(0, io.SEEK_END)
    file.seek(max(0, n_bytes - _END.size - 20))  # the record of larger archives would stand in the 20 bytes before
    tail = file.read()
    file.seek(0)
    signature, _, _, _, n_members, n_directory, _, n_comment = _END.unpack(tail[-_END.size :].rjust(_END.size, b"\0"))
    if signature != b"PK\5\6" or n_comment:
        raise UserError("This file is cut off, or no ZIP that is read here: save it again.")
    if n_members > _MOST_MEMBERS or n_directory > _MOST_DIRECTORY_BYTES or tail.startswith(b"PK\6\7"):
        raise UserError(_TOO_MANY)
