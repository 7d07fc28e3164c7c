"""What the package raises when a person can put it right, and what the machine says when it runs short."""

import errno


class UserError(ValueError):
    """A mistake in what was asked for: one sentence that names the value and the way out."""


class UnsupportedModelError(UserError):
    """The model cannot be attributed exactly; the sentence names its family and the reason."""


class UnwrittenError(UserError):
    """A file cannot be written; ``reason`` is the system's, such as that the disk is full."""

    def __init__(self, sentence: str, reason: str = "") -> None:
        """Takes the sentence, and the reason alone."""
        super().__init__(sentence)
        self.reason = reason


_SHORT = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc")


def is_memory_error(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's, PyTorch's on any device, or the system's."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # safetensors' own error has no base but Exception
    may_be = isinstance(error, RuntimeError) or type(error).__name__ == "SafetensorError"
    return isinstance(error, MemoryError) or (may_be and any(words in str(error).lower() for words in _SHORT))


def is_disk_error(error: BaseException) -> bool:
    """Whether an error says that nothing more can be written: the disk, a quota or a limit is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
