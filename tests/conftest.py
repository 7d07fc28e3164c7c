"""What every test shares: no network, one thread a test, the same random numbers every time."""

import gc
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
GOLDEN = REPOSITORY.parent / "shared" / "golden"

torch.set_num_threads(1)  # tiny models are slower on more


def pytest_collection_finish() -> None:
    """Tells the collector not to look through what was imported each time: servers of tests would stand still."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of the authors' own results; it is not part of the repository."""
    if not GOLDEN.is_dir():
        pytest.skip("the authors' golden results are not beside the repository (../shared/golden)")
    return GOLDEN
