"""Hugging Face Spaces: how work gets a GPU that is lent for seconds (ZeroGPU); elsewhere nothing changes."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

try:
    import spaces  # before torch, which it patches on ZeroGPU
except ImportError:
    spaces = None

Work = TypeVar("Work", bound=Callable[..., Any])

IS_SPACE = bool(os.environ.get("SPACE_ID"))
IS_ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")

SHORTEST, LONGEST = 10, 120  # seconds that are asked for; more than a visitor's quota is refused
_START = 8.0  # seconds: the process, CUDA, the tokenizer
_READING = 4e8  # bytes a second from the disk to the card
_COMPUTING = 4e12  # floating-point operations a second in float32, of some 5e13 that the card has
_LAYERS, _TOKENS = 24, 512  # the most that are usual, and that are attributed


def on_gpu(estimate: Callable[..., int]) -> Callable[[Work], Work]:
    """Makes a module's function one that runs where the GPU is: on ZeroGPU, in a forked process.

    What goes in and comes out is pickled there: names, texts, settings and NumPy arrays, never a model or a tensor.

    Args:
        estimate: Called with the function's arguments; how many seconds to ask for.
    """
    return (lambda work: work) if spaces is None else spaces.GPU(duration=estimate)


def estimate_seconds(n_bytes: int, *, n_characters: int = 0, n_nodes: int = 0) -> int:
    """Estimates for how many seconds a job needs a GPU.

    seconds = 8 + B / (0.4 GB/s) + 3 · P · T · (24 · n + 1) / (4 · 10¹² /s), within 10 and 120, with B the bytes of the
    weights, P = B / 4 its parameters, T = min(512, bytes of the text / 3 + 2) tokens, and n nodes a layer. A node of a
    layer runs the layers above it forward and backward: on average half of a pass of 6 · P · T operations.

    Args:
        n_bytes: Size of the weights, B.
        n_characters: Length of the texts in bytes of UTF-8.
        n_nodes: Quadrature nodes a layer, n.

    Returns:
        Whole seconds.
    """
    n_tokens = min(_TOKENS, n_characters / 3 + 2)
    work = 3 * (n_bytes / 4) * n_tokens * (_LAYERS * n_nodes + 1)
    seconds = _START + n_bytes / _READING + work / _COMPUTING
    return round(min(max(seconds, SHORTEST), LONGEST))
