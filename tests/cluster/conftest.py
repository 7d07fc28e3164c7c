"""A real Ray of this machine with two workers, started once for all tests."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from attattr_core import Checkpoint, load_checkpoint
from attattr_core.cluster.ray_workers import Crew, RayWorkers, connecting
from attattr_core.datasets import Example, ExampleSet, pick_examples, read_examples

DATA = Path(__file__).resolve().parents[2] / "assets" / "data" / "sst2.tsv"


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    return load_checkpoint("sst2", device="cpu")


@pytest.fixture(scope="session")
def examples(checkpoint) -> ExampleSet:
    """Short sentences, and so few tokens that no two of different lengths run together."""
    whole = read_examples(DATA, labels=checkpoint.labels)
    short = tuple(Example(" ".join(one.text.split()[: 4 + n]), None, one.label) for n, one in enumerate(whole.examples))
    return ExampleSet(short[:14], whole.label_names, (), "short.tsv", "", 0)


@pytest.fixture(scope="session")
def other_examples(checkpoint) -> ExampleSet:
    return pick_examples(read_examples(DATA, labels=checkpoint.labels), 8, seed=3)


@pytest.fixture(scope="session")
def ray() -> Iterator:
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: it has no wheel for this Python")
    if (os.cpu_count() or 1) < 2:
        pytest.skip("two workers need two processors")
    with connecting(None):
        import ray

        yield ray


@pytest.fixture(scope="session")
def workers(ray, checkpoint) -> RayWorkers:
    return RayWorkers(checkpoint, Crew(n_workers=2))
