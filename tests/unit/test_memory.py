"""The cache holds to its bytes, lends what is in use, loads once, and really gives memory back."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from random_models import build_checkpoint

from attattr_core import Checkpoint, UserError, attribute
from attattr_core.checkpoints.memory import CheckpointCache, Key, count_bytes, find_limit

MEGABYTE = 1_000_000
TESTS = Path(__file__).resolve().parent.parent


def make_checkpoint(name: str, n_bytes: int = MEGABYTE) -> Checkpoint:
    """A stand-in with one parameter."""
    model = torch.nn.ParameterList([torch.zeros(n_bytes // 4)])
    return Checkpoint(model, None, ("no", "yes"), name)


class Loader:
    """Loads stand-ins, remembers what for, and can be made to wait or fail."""

    def __init__(self, **sizes: int) -> None:
        self.calls: list[str] = []
        self.sizes, self.error, self.gate = sizes, None, None

    def __call__(self, reference: str, *, device: str, **options) -> Checkpoint:
        self.calls.append(reference)
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return make_checkpoint(reference, self.sizes.get(reference, MEGABYTE))


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch) -> None:
    monkeypatch.setenv("ATTATTR_DEVICE", "cpu")
    monkeypatch.delenv("ATTATTR_CACHE_BYTES", raising=False)


def touch(cache: CheckpointCache, *names: str) -> None:
    for name in names:
        with cache.use(name) as checkpoint:
            assert checkpoint.name == name


def names_of(cache: CheckpointCache) -> list[str]:
    return [key.name for key in cache.list_keys()]


def test_what_is_there_is_not_loaded_again():
    load = Loader()
    cache = CheckpointCache(max_bytes=10 * MEGABYTE, load=load)
    touch(cache, "a", "b", "a", "a")
    assert load.calls == ["a", "b"]
    assert cache.count_bytes() == cache.count_bytes("cpu") == 2 * MEGABYTE
    assert cache.count_bytes("cuda:0") == 0


def test_the_least_recently_used_leaves():
    cache = CheckpointCache(max_bytes=3 * MEGABYTE, load=Loader())
    touch(cache, "a", "b", "c", "a", "d")
    assert names_of(cache) == ["c", "a", "d"]


def test_the_end_of_a_use_counts_as_use():
    cache = CheckpointCache(max_bytes=2 * MEGABYTE, load=Loader())
    with cache.use("a"):
        touch(cache, "b")
    touch(cache, "c")
    assert names_of(cache) == ["a", "c"]


def test_one_being_used_never_leaves_and_leaves_later():
    cache = CheckpointCache(max_bytes=MEGABYTE, load=Loader())
    with cache.use("a") as first, cache.use("b"):
        touch(cache, "c")
        assert names_of(cache) == ["a", "b"]
        with cache.use("a") as again:
            assert again is first
    assert names_of(cache) == ["a"]


def test_a_checkpoint_is_kept_while_any_of_its_users_is_there():
    cache = CheckpointCache(max_bytes=0, load=Loader())
    with cache.use("a"):
        touch(cache, "a")
        assert names_of(cache) == ["a"]
    assert names_of(cache) == []


def test_one_above_the_limit_loads_and_leaves_before_small_ones():
    cache = CheckpointCache(max_bytes=2 * MEGABYTE, load=Loader(huge=5 * MEGABYTE))
    with cache.use("small"), cache.use("huge") as huge:
        assert count_bytes(huge) == 5 * MEGABYTE
    assert names_of(cache) == ["small"]


def test_an_exception_in_the_block_ends_the_use():
    cache = CheckpointCache(max_bytes=0, load=Loader())
    with pytest.raises(RuntimeError, match="stop"), cache.use("a"):
        raise RuntimeError("stop")
    assert names_of(cache) == []


def test_name_revision_and_device_tell_checkpoints_apart(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    load = Loader()
    cache = CheckpointCache(max_bytes=MEGABYTE, load=load)
    for revision in ("", "abc"):
        for device in ("cpu", "cuda", "cuda:0"):
            with cache.use("a", revision=revision, device=device):
                pass
    assert load.calls == ["a", "a", "a@abc", "a@abc"]
    assert cache.list_keys() == [Key("a", "abc", "cpu"), Key("a", "abc", "cuda:0")]  # each device has its own limit


def test_options_reach_the_loader():
    seen = {}
    cache = CheckpointCache(load=lambda reference, **options: seen.update(options) or make_checkpoint(reference))
    with cache.use("a", limits="some", on_progress=print):
        assert seen == {"device": "cpu", "limits": "some", "on_progress": print}


def test_corrected_labels_share_the_weights():
    cache = CheckpointCache(load=lambda reference, device: build_checkpoint(n_labels=2))
    with cache.use("a") as checkpoint:
        before = cache.count_bytes()
        corrected = replace(checkpoint, labels=("bad", "good"))
        assert corrected.model is checkpoint.model
        assert cache.count_bytes() == before == count_bytes(corrected)


def test_tied_weights_count_once():
    model = torch.nn.ModuleList([torch.nn.Linear(10, 10, bias=False), torch.nn.Linear(10, 10, bias=False)])
    model[1].weight = model[0].weight
    model.register_buffer("positions", torch.zeros(5))
    assert count_bytes(SimpleNamespace(model=model)) == 4 * (100 + 5)


# ----------------------------------------------------------------------------------------------- several at a time


def start(n: int, work) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(n)]
    for thread in threads:
        thread.start()
    return threads


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def count_users(cache: CheckpointCache) -> int:
    return sum(entry.n_users for entry in cache._entries.values())


def test_two_at_the_same_moment_load_once_even_under_a_tiny_limit():
    load, seen = Loader(), []
    load.gate = threading.Event()
    cache = CheckpointCache(max_bytes=0, load=load)

    def work():
        with cache.use("a") as checkpoint:
            seen.append(checkpoint)

    threads = start(8, work)
    wait_until(lambda: count_users(cache) == 8)
    load.gate.set()
    for thread in threads:
        thread.join(10)
    assert load.calls == ["a"]
    assert len(seen) == 8
    assert len(set(map(id, seen))) == 1
    assert names_of(cache) == []


def test_a_failed_load_reaches_everyone_and_is_forgotten():
    load, errors = Loader(), []
    load.gate, load.error = threading.Event(), UserError("There is no checkpoint 'a'.")
    cache = CheckpointCache(load=load)

    def work():
        try:
            with cache.use("a"):
                pass
        except UserError as error:
            errors.append(str(error))

    threads = start(3, work)
    wait_until(lambda: count_users(cache) == 3)
    load.gate.set()
    for thread in threads:
        thread.join(10)
    assert errors == ["There is no checkpoint 'a'."] * 3
    assert load.calls == ["a"]
    assert not cache._entries
    load.error = None
    touch(cache, "a")


def test_an_interrupted_load_is_taken_over_by_who_waits():
    interrupted, seen = threading.Event(), []
    calls = []

    def load(reference, device):
        calls.append(reference)
        if len(calls) == 1:
            assert interrupted.wait(10)
            raise KeyboardInterrupt
        return make_checkpoint(reference)

    cache = CheckpointCache(load=load)

    def stop():
        with pytest.raises(KeyboardInterrupt), cache.use("a"):
            pass

    def work():
        with cache.use("a") as checkpoint:
            seen.append(checkpoint.name)

    first = start(1, stop)
    wait_until(lambda: calls)
    second = start(1, work)
    wait_until(lambda: count_users(cache) == 2)
    interrupted.set()
    for thread in first + second:
        thread.join(10)
    assert seen == ["a"]
    assert len(calls) == 2


def test_different_checkpoints_load_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    cache = CheckpointCache(load=lambda reference, device: both.wait() is not None and make_checkpoint(reference))
    threads = [threading.Thread(target=touch, args=(cache, name)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(names_of(cache)) == ["a", "b"]


def test_many_threads_leave_the_cache_in_order():
    cache = CheckpointCache(max_bytes=3 * MEGABYTE, load=Loader())
    threads = [
        threading.Thread(target=touch, args=(cache, *[f"{(seed * step) % 7}" for step in range(8)]))
        for seed in range(1, 7)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert count_users(cache) == 0
    assert cache.count_bytes() <= 3 * MEGABYTE


def test_a_fork_does_not_wait_for_its_parents_threads(monkeypatch):
    load = Loader()
    load.gate = threading.Event()
    cache = CheckpointCache(load=load)
    thread = threading.Thread(target=touch, args=(cache, "a"))
    thread.start()
    wait_until(lambda: load.calls)
    gate, load.gate = load.gate, None
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        touch(cache, "a")
    gate.set()
    thread.join(10)
    assert load.calls == ["a", "a"]


# ------------------------------------------------------------------------------------------------- limits and bytes


def test_the_limit_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("ATTATTR_CACHE_BYTES", "2_000_000")
    cache = CheckpointCache(load=Loader())
    touch(cache, "a", "b", "c")
    assert names_of(cache) == ["b", "c"]


@pytest.mark.parametrize("value", ["4GB", "-1", "1e9"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, value):
    monkeypatch.setenv("ATTATTR_CACHE_BYTES", value)
    with pytest.raises(UserError, match=f"ATTATTR_CACHE_BYTES is '{value}'"):
        CheckpointCache()


def test_the_default_limit_is_a_share_of_what_the_container_may_take(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "attattr_core.checkpoints.memory._CGROUP_LIMITS", (str(tmp_path / "max"), str(tmp_path / "none"))
    )
    find_limit.cache_clear()
    try:
        (tmp_path / "max").write_text("1000000\n")
        assert find_limit("cpu") == 250_000
        find_limit.cache_clear()
        (tmp_path / "max").write_text("max\n")
        assert find_limit("cpu") > 1 << 26
    finally:
        find_limit.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_eviction_frees_the_card():
    def load(reference, device):
        checkpoint = make_checkpoint(reference, 100 * MEGABYTE)
        checkpoint.model.to(device)
        return checkpoint

    cache = CheckpointCache(max_bytes=100 * MEGABYTE, load=load)
    before = torch.cuda.memory_reserved()
    for index in range(10):
        with cache.use(str(index), device="cuda"):
            pass
    assert torch.cuda.memory_reserved() - before < 150 * MEGABYTE
    assert find_limit("cuda:0") == torch.cuda.get_device_properties(0).total_memory // 2


def test_embedded_checkpoints_are_lent_by_the_default_loader():
    cache = CheckpointCache()
    with cache.use("sst2") as checkpoint:
        assert attribute(checkpoint, "A warm film.").model == "sst2"
        assert cache.count_bytes() > 50 * MEGABYTE
    cache.clear()
    assert cache.count_bytes() == 0


_MANY = """
import gc, json, os, sys
from pathlib import Path

import torch
from random_models import build_model, build_tokenizer

from attattr_core import Settings, attribute
from attattr_core.checkpoints.checkpoint import silence_loading
from attattr_core.checkpoints.memory import CheckpointCache

torch.set_num_threads(1)
silence_loading()
root = Path(sys.argv[1])
for kind in range(3):
    options = {"hidden_size": 384, "intermediate_size": 1536 + 64 * kind, "num_hidden_layers": 4}
    build_model("bert", dtype=torch.float32, **options).save_pretrained(root / str(kind))
    build_tokenizer().save_pretrained(root / str(kind))


def measure():
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


n_bytes = (root / "0" / "model.safetensors").stat().st_size
cache = CheckpointCache(max_bytes=int(2.5 * n_bytes))  # two of them fit
levels = []
gc.freeze()  # what the libraries made at their import need not be looked through a hundred times
for index in range(103):
    folder = root / f"copy{index}"
    folder.mkdir()
    for file in (root / str(index % 3)).iterdir():
        os.link(file, folder / file.name)
    with cache.use(str(folder)) as checkpoint:
        attribute(checkpoint, "two men play music", settings=Settings(n_steps=1))
    del checkpoint
    if index > 1:  # the first eviction makes room for the third
        levels.append(measure())
    assert len(cache.list_keys()) == min(index + 1, 2)
print(json.dumps({"first": levels[0], "last": levels[-1], "n_evictions": len(levels), "n_bytes": n_bytes}))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads resident memory from /proc")
def test_a_hundred_loads_and_evictions_leave_no_memory_behind(tmp_path):
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS / "unit"), str(TESTS)])
    environment = {**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _MANY, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    levels = json.loads(done.stdout.splitlines()[-1])
    assert levels["n_bytes"] > 25 * MEGABYTE
    assert levels["n_evictions"] > 100
    assert abs(levels["last"] - levels["first"]) < 0.1 * levels["first"], levels
