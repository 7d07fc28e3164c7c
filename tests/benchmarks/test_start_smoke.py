"""The benchmark of the start runs: a real process answers; nothing is timed."""

import pytest

from attattr_core.checkpoints.catalog import find_folder
from tests.benchmarks import start


def test_the_app_answers_and_ends():
    with start.serving() as (process, url, _):
        assert start.answers(url)
        assert process.poll() is None
    assert process.poll() is not None
    assert not start.answers(url)


def test_a_plain_pass_is_timed():
    if not any(find_folder(start.MODEL).glob("*.safetensors")):
        pytest.skip(f"the embedded checkpoint {start.MODEL!r} is not in this working tree")
    assert start.time_forward() > 0
