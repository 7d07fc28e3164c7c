"""Memory runs out: for real in a process with a limit, and in every kind of work as the libraries say it."""

import os
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from faults.visiting import REPOSITORY, ROWS, load, run, serving, visit, wait_until
from gradio_client.exceptions import AppError
from safetensors import SafetensorError

from attattr_core.errors import UnwrittenError, UserError
from attattr_core.ui.job_log import Refusal
from attattr_core.ui.shortages import refusing
from attattr_core.ui.store import find_store

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
LONG = "the film was warm and slow and honest and dull and bright and clever " * 60
MEGABYTE = 1 << 20
JOB = SimpleNamespace(description=SimpleNamespace(name="org/model"))


def measure(pid: int, what: str) -> int:
    """Reads a size of a process, in bytes: ``VmRSS``, what is in memory, or ``VmSize``, what it has asked for."""
    return int(Path(f"/proc/{pid}/status").read_text().split(f"{what}:")[1].split()[0]) << 10


def test_the_app_goes_on_when_memory_has_run_out():
    """A limit is put on the running server: long texts and another model do not fit, short texts go on."""
    steady = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with serving(**steady) as (url, process):
        mine, other = visit(url), visit(url)
        for client in (mine, other):
            assert run(client, "sst2")[0]["status"] == "done"
        before, free = measure(process.pid, "VmRSS"), resource.prlimit(process.pid, resource.RLIMIT_AS)
        limit = measure(process.pid, "VmSize") + 100 * MEGABYTE
        resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, free[1]))
        asked = mine.submit("sst2", LONG, "", "predicted", *_CONVENTION, api_name="/page_run")
        assert run(other, "sst2", "Another one's.")[0]["tokens"][1] == "another"
        _, status, *_ = asked.result(timeout=300)
        assert "memory" in status
        assert "Traceback" not in status
        assert any(way in status for way in ("choose a smaller model or a shorter text", "take a shorter text"))
        for client in (mine, other):
            assert run(client, "sst2")[0]["status"] == "done"
        assert measure(process.pid, "VmRSS") - before < 100 * MEGABYTE, "memory is given back"
        resource.prlimit(process.pid, resource.RLIMIT_AS, free)
        message, sentence = run(mine, "sst2", LONG)
        assert (message["status"], sentence) == ("done", "")


_CONVENTION = ("probability", "zero", "fixed nodes", 0.01, 2, "automatic")

_COMMAND = """
import resource, sys
from attattr_core.__main__ import main

text, output = sys.argv[1:]
command = ["attribute", "--model", "sst2", "--n-steps", "2", "--output", output, "--text"]
assert main([*command, "A warm film."]) == 0
before = open(output, "rb").read()
n_bytes = int(open("/proc/self/status").read().split("VmSize:")[1].split()[0]) << 10
free = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (n_bytes + (150 << 20), free[1]))
assert main([*command, text]) == 2
assert open(output, "rb").read() == before
assert main([*command, "A warm film."]) == 0
resource.setrlimit(resource.RLIMIT_AS, free)
assert main([*command, text]) == 0
"""


def test_a_command_says_that_memory_has_run_out(tmp_path):
    environment = os.environ | {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _COMMAND, LONG, str(tmp_path / "result.npz")]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "memory" in sentence
    assert "take a" in sentence


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 900. MiB for an array"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 4000000000 bytes. Error code 12 (Cannot allocate memory)"
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        OSError(12, "Cannot allocate memory"),
        SafetensorError("Error while mapping: Cannot allocate memory (os error 12)"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_way_of_saying_it_becomes_a_refusal(error):
    @refusing("a shorter text")
    def work(job):
        yield 1
        raise error

    assert list(work(JOB)) == [1, Refusal("There is not enough memory for 'org/model': choose a shorter text.")]


def test_other_errors_stay_what_they_are():
    @refusing("nothing")
    def work(job, error):
        raise error
        yield

    assert list(work(JOB, UserError("No."))) == [Refusal("No.")]
    said = list(work(JOB, UnwrittenError("'/tmp/x' cannot be written (Quota exceeded).", "Quota exceeded")))
    assert said == [Refusal(f"{_CANNOT} (Quota exceeded): try again later, or tell who runs it.")]
    for error in (RuntimeError("shapes do not agree"), OSError(2, "No such file")):
        with pytest.raises(type(error)):
            list(work(JOB, error))


_CANNOT = "The server cannot write the files that this needs"


@contextmanager
def failing(n_good: int):
    """Makes the model's passes fail after some steps, as PyTorch says that memory has run out."""
    own, counts = torch.nn.functional.layer_norm, count(1)

    def layer_norm(*arguments, **options):
        if next(counts) > n_good:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return own(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "layer_norm", layer_norm)
        yield


@pytest.mark.parametrize("n_good", [0, 30])
@pytest.mark.parametrize(
    ("endpoint", "options"),
    [
        ("attribute", {"text": "A warm film."}),
        ("tree", {"text": "A warm film."}),
        ("head_importance", {"data": ROWS}),
        ("mine_triggers", {"data": ROWS}),
    ],
)
def test_no_kind_of_work_ends_without_a_sentence(app_url, endpoint, options, n_good):
    client = visit(app_url)
    find_store().clear()  # nothing is known, and no work is begun
    with failing(n_good), pytest.raises(AppError, match=r"memory.*(choose|take) a") as caught:
        client.predict("sst2", **options, api_name=f"/{endpoint}")
    assert "DefaultCPUAllocator" not in str(caught.value)
    assert client.predict("sst2", **options, api_name=f"/{endpoint}")["status"] == "done"


def test_a_load_that_does_not_fit(app_url, served, tiny, monkeypatch):
    client = visit(app_url)
    served.add("org/tiny", tiny)
    load(client, "org/tiny")
    from attattr_core.ui import find_cache

    find_cache().clear()
    with monkeypatch.context() as patch:
        patch.setattr(
            "attattr_core.checkpoints.loading.AutoModelForSequenceClassification.from_pretrained",
            _raise(MemoryError("Unable to allocate 2 GiB")),
        )
        message, sentence = run(client, "org/tiny")
    assert message == {}
    assert sentence == "There is not enough memory for 'org/tiny': choose a smaller model or a shorter text."
    wait_until(lambda: not any(key.name == "org/tiny" for key in find_cache().list_keys()))
    assert run(client, "org/tiny")[0]["status"] == "done"


def _raise(error):
    def fail(*_, **__):
        raise error

    return fail
