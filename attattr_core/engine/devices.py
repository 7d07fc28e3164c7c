"""Where a model runs, and how that is said.

The dtype is float32 everywhere: a gap of the completeness certificate is a few parts in a million of F, which float16
and bfloat16 (three digits) cannot resolve, and float64 is missing on MPS and 64 times slower on most cards. Gradients
along the path may be computed in less (`attattr_core.engine.precision`), and the certificate tells what that costs.
"""

import os

import torch

from attattr_core.errors import UserError

VARIABLE = "ATTATTR_DEVICE"
DTYPE = torch.float32
_TYPES = ("cuda", "mps", "cpu")  # in the order of preference


def choose_device(preferred: str | torch.device | None = None) -> torch.device:
    """Chooses the device that models live on.

    Args:
        preferred: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; None or ``"auto"`` for what ``ATTATTR_DEVICE``
            names, and without that CUDA, else MPS where this torch has it, else the CPU.

    Returns:
        The device, with its index on CUDA, so that equal devices compare equal.

    Raises:
        UserError: When no such device is known or it is not there.
    """
    wanted = str(preferred or "auto").strip().lower()
    if wanted == "auto":
        wanted = os.environ.get(VARIABLE, "").strip().lower() or "auto"
    if wanted == "auto":
        return _complete(torch.device(next(kind for kind in _TYPES if _count(kind))))
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in _TYPES:
        raise UserError(f"The device {wanted[:40]!r} is unknown: choose auto, {_list_present()}.")
    if (device.index or 0) >= _count(device.type):
        raise UserError(f"There is no device {wanted[:40]!r} here: choose auto, {_list_present()}.")
    return _complete(device)


def describe_device(device: str | torch.device, dtype: torch.dtype = DTYPE) -> str:
    """Describes where and in which precision a model computes, such as ``"CPU, 2 threads, float32"``."""
    device, precision = torch.device(device), str(dtype).removeprefix("torch.")
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {precision}"
    if device.type == "cpu":
        n_threads = torch.get_num_threads()
        return f"CPU, {n_threads} thread{'s' * (n_threads > 1)}, {precision}"
    return f"{'Apple GPU (MPS)' if device.type == 'mps' else device.type}, {precision}"


def _count(kind: str) -> int:
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    return 1


def _complete(device: torch.device) -> torch.device:
    if device.type != "cuda":
        return torch.device(device.type)
    return torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)


def _list_present() -> str:
    return " or ".join(kind for kind in _TYPES if _count(kind))
