"""The device is the best that is there, a wish is checked, and the page can say which it is."""

import pytest
import torch

from attattr_core.engine.devices import choose_device, describe_device
from attattr_core.errors import UserError


@pytest.fixture(autouse=True)
def bare(monkeypatch) -> None:
    """A machine with a CPU only, and no wish in the environment."""
    monkeypatch.delenv("ATTATTR_DEVICE", raising=False)
    have(monkeypatch, n_cards=0, mps=False)


def have(monkeypatch, *, n_cards: int, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cards)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("n_cards", "mps", "expected"), [(0, False, "cpu"), (0, True, "mps"), (1, False, "cuda:0"), (2, True, "cuda:0")]
)
def test_cuda_is_taken_before_mps_before_the_cpu(monkeypatch, n_cards, mps, expected):
    have(monkeypatch, n_cards=n_cards, mps=mps)
    for wish in (None, "auto"):
        assert choose_device(wish) == torch.device(expected)


def test_a_wish_comes_before_the_environment_before_the_choice(monkeypatch):
    have(monkeypatch, n_cards=2, mps=True)
    monkeypatch.setenv("ATTATTR_DEVICE", "CPU")
    assert choose_device() == choose_device("auto") == torch.device("cpu")
    assert choose_device("mps") == torch.device("mps")
    assert choose_device(torch.device("cuda", 1)) == torch.device("cuda:1")


def test_an_empty_variable_is_no_wish(monkeypatch):
    monkeypatch.setenv("ATTATTR_DEVICE", " ")
    assert choose_device() == torch.device("cpu")


def test_equal_devices_compare_equal(monkeypatch):
    have(monkeypatch, n_cards=1, mps=True)
    assert choose_device("cuda") == choose_device("cuda:0")
    assert choose_device("cpu:0") == choose_device("cpu")
    assert choose_device("mps:0") == choose_device("mps")


@pytest.mark.parametrize("wish", ["gpu", "cuda:x", "meta", "xpu", "cpu cuda", "x" * 500])
def test_unknown_devices_are_refused(wish):
    with pytest.raises(UserError, match="unknown: choose auto, cpu") as caught:
        choose_device(wish)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("wish", ["cuda", "cuda:1", "mps", "cpu:3"])
def test_absent_devices_are_refused(wish):
    with pytest.raises(UserError, match=f"no device '{wish}' here: choose auto, cpu"):
        choose_device(wish)


def test_a_card_too_many_is_refused(monkeypatch):
    have(monkeypatch, n_cards=1, mps=False)
    monkeypatch.setenv("ATTATTR_DEVICE", "cuda:1")
    with pytest.raises(UserError, match="choose auto, cuda or cpu"):
        choose_device()


def test_devices_are_described_with_their_precision(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert describe_device("cpu") == "CPU, 2 threads, float32"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert describe_device(torch.device("cpu"), torch.float64) == "CPU, 1 thread, float64"
    assert describe_device("cuda:0", torch.float32) == "NVIDIA H100 80GB HBM3, float32"
    assert describe_device("mps") == "Apple GPU (MPS), float32"
