"""Keep a few checkpoints in memory: a cache by bytes, shared by every visitor.

Nothing here imports torch before the first checkpoint is asked for.
"""

import ctypes
import gc
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Event, RLock
from typing import TYPE_CHECKING, Any

from attattr_core.engine.stopping import ask
from attattr_core.errors import UserError

if TYPE_CHECKING:
    import torch

    from attattr_core.checkpoints.checkpoint import Checkpoint

VARIABLE = "ATTATTR_CACHE_BYTES"
CPU_SHARE = 0.25  # of the machine's memory; the rest is for maps, for loading, and for one checkpoint over the limit
CUDA_SHARE = 0.5  # of the card's memory; a run takes half of what is free
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Key:
    """What tells one set of weights in memory from another."""

    name: str
    revision: str
    device: str


@dataclass
class _Entry:
    ready: Event = field(default_factory=Event)
    checkpoint: "Checkpoint | None" = None
    error: Exception | None = None
    n_bytes: int = 0
    n_users: int = 0


class CheckpointCache:
    """Checkpoints by name, revision and device; the least recently used leaves when a device's limit is passed.

    One that is being used never leaves. The same one is loaded once, however many ask for it at the same moment; an
    error reaches all of them and is not remembered. A checkpoint larger than the whole limit is loaded all the same,
    and leaves as soon as nobody uses it. All methods may be called from any thread.
    """

    def __init__(self, *, max_bytes: int | None = None, load: "Callable[..., Checkpoint] | None" = None) -> None:
        """Makes an empty cache.

        Args:
            max_bytes: Limit for each device, in bytes of parameters and buffers. None for what ``ATTATTR_CACHE_BYTES``
                says, and without it a quarter of the machine's memory and half of a card's.
            load: Called as ``load(reference, device=device, **options)``; `attattr_core.load_checkpoint` if None. A
                reference is a name, or ``name@revision``.

        Raises:
            UserError: When ``ATTATTR_CACHE_BYTES`` is not a number of bytes.
        """
        self._max_bytes = _read_limit() if max_bytes is None else max_bytes
        self._load = load or _load_checkpoint
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._lock, self._process = RLock(), os.getpid()

    @contextmanager
    def use(
        self, name: str, *, revision: str = "", device: "str | torch.device | None" = None, **options: Any
    ) -> "Iterator[Checkpoint]":
        """Lends a checkpoint, which stays in memory for as long as the block lasts.

        Corrected labels take no second copy: ``dataclasses.replace`` gives a checkpoint that shares the model. Nothing
        of either may be kept beyond the block.

        Args:
            name: An embedded name, a folder or a Hub id.
            revision: The commit of a Hub id, "" for what needs none.
            device: Where to, as in `attattr_core.engine.devices.choose_device`.
            options: Handed to ``load`` by whoever comes first.

        Yields:
            The checkpoint.

        Raises:
            UserError: What loading raises.
        """
        ask()  # before it is loaded
        from attattr_core.engine.devices import choose_device

        key = Key(name, revision, str(choose_device(device)))
        while True:
            entry, is_first = self._enter(key)
            try:
                if is_first:
                    self._fill(key, entry, options)
                entry.ready.wait()
                if entry.error is not None:
                    raise entry.error
                if entry.checkpoint is not None:
                    yield entry.checkpoint
                    return
                # whoever was loading was interrupted, which is no fault of the checkpoint: ask again
            finally:
                self._leave(key, entry)

    def list_keys(self) -> list[Key]:
        """Lists what is in memory, the least recently used first."""
        with self._lock:
            return [key for key, entry in self._entries.items() if entry.checkpoint is not None]

    def count_bytes(self, device: str | None = None) -> int:
        """Counts the bytes of parameters and buffers in memory, on one device such as ``"cuda:0"`` or on all."""
        with self._lock:
            return sum(entry.n_bytes for key, entry in self._entries.items() if device in (None, key.device))

    def clear(self) -> None:
        """Drops every checkpoint that nobody uses."""
        self._drop(lambda key, entry: True)

    def _enter(self, key: Key) -> tuple[_Entry, bool]:
        if self._process != os.getpid():  # a fork has none of its parent's threads: what they were loading never comes
            self._lock, self._process = RLock(), os.getpid()
            for unready in [key for key, entry in self._entries.items() if not entry.ready.is_set()]:
                del self._entries[unready]
        with self._lock:
            is_first = key not in self._entries
            entry = self._entries.setdefault(key, _Entry())
            entry.n_users += 1
            self._entries.move_to_end(key)
        return entry, is_first

    def _fill(self, key: Key, entry: _Entry, options: dict[str, Any]) -> None:
        reference = f"{key.name}@{key.revision}" if key.revision else key.name
        try:
            checkpoint = self._load(reference, device=key.device, **options)
            entry.n_bytes, entry.checkpoint = count_bytes(checkpoint), checkpoint
        except Exception as error:
            entry.error = error
            raise
        finally:
            if entry.checkpoint is None:
                self._forget(key, entry)
            entry.ready.set()
        self._shrink(key.device)

    def _leave(self, key: Key, entry: _Entry) -> None:
        with self._lock:
            entry.n_users -= 1
            if self._entries.get(key) is entry:
                self._entries.move_to_end(key)
        self._shrink(key.device)

    def _forget(self, key: Key, entry: _Entry) -> None:
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]

    def _shrink(self, device: str) -> None:
        limit = find_limit(device) if self._max_bytes is None else self._max_bytes
        self._drop(lambda key, entry: key.device == device and self.count_bytes(device) > limit, alone=limit)

    def _drop(self, is_too_much: Callable[[Key, _Entry], bool], *, alone: int = 0) -> None:
        """Drops unused entries in their order while they are too much; first those larger than ``alone``."""
        n_dropped = 0
        with self._lock:
            order = sorted(self._entries.items(), key=lambda item: item[1].n_bytes <= alone)
            for key, entry in order:
                if entry.n_users == 0 and is_too_much(key, entry):
                    del self._entries[key]
                    entry.checkpoint = None
                    n_dropped += 1
        if n_dropped:
            free_memory()


def count_bytes(checkpoint: "Checkpoint") -> int:
    """Counts the bytes of a checkpoint's parameters and buffers; shared ones count once."""
    model = checkpoint.model
    return sum(
        {tensor.data_ptr(): tensor.nbytes for part in (model.parameters(), model.buffers()) for tensor in part}.values()
    )


@lru_cache
def find_limit(device: str) -> int:
    """Finds how many bytes of checkpoints a device holds by default: `CUDA_SHARE` of a card, else `CPU_SHARE`."""
    if device.startswith("cuda"):
        import torch

        return int(CUDA_SHARE * torch.cuda.get_device_properties(device).total_memory)
    return int(CPU_SHARE * _find_memory())


def _find_memory() -> int:
    """Finds the machine's memory, or what its container may take of it."""
    try:
        sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):  # not on Windows
        sizes = [8 << 30]
    for path in map(Path, _CGROUP_LIMITS):
        text = path.read_text().strip() if path.is_file() else ""
        if text.isdecimal():
            sizes.append(int(text))
    return min(sizes)


def _read_limit() -> int | None:
    text = os.environ.get(VARIABLE, "").strip().replace("_", "")
    if text and not text.isdecimal():
        raise UserError(f"{VARIABLE} is {text[:40]!r}: give a whole number of bytes, such as 4000000000.")
    return int(text) if text else None


def _load_checkpoint(reference: str, **options: Any) -> "Checkpoint":
    from attattr_core.checkpoints.checkpoint import load_checkpoint

    return load_checkpoint(reference, **options)


def trim_memory() -> None:
    """Gives what the C library holds back to the system: of each thread's freed memory it keeps its own."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)


def free_memory() -> None:
    """Gives freed memory back: Python's cycles, the C library's heap, the cards' pools."""
    gc.collect()
    trim_memory()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()
