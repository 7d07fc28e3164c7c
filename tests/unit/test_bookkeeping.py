"""What a job over a data set keeps costs each example the same, and does not depend on the order in which they end."""

import numpy as np
import pytest

from attattr_core.errors import UserError
from attattr_core.files import work_files
from attattr_core.files.work_files import Pace
from attattr_core.heads.importance_state import State
from attattr_core.trees.curves import ExampleFaithfulness, GrowingFaithfulness


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(work_files, "time", clock)
    return clock


def test_writing_takes_a_twentieth_of_a_job_however_large_its_file_grows(clock):
    pace, written, spent = Pace(), [], 0.0

    def write(n_done):
        nonlocal spent
        spent += n_done / 1000  # a file grows with what is done
        clock.now += n_done / 1000
        written.append(n_done)

    for n_done in range(1, 5001):
        clock.now += 0.05
        pace.ask(lambda n_done=n_done: write(n_done))
    assert spent - written[-1] / 1000 < 5000 * 0.05 / 20  # all but the last one
    assert len(written) > 10
    pace.flush()
    assert written[-1] == 5000
    pace.flush()
    assert written.count(5000) == 1


def test_what_could_not_be_written_waits(clock):
    pace, written = Pace(), []

    def fail():
        raise UserError("The disk is full.")

    with pytest.raises(UserError, match="full"):
        pace.ask(fail)
    with pytest.raises(UserError, match="full"):
        pace.flush()
    pace.ask(lambda: written.append(1))
    assert written == [1]


def test_the_sum_of_contributions_does_not_depend_on_the_order_in_which_batches_end():
    values = np.random.default_rng(0).lognormal(sigma=9, size=(60, 1, 2, 3))  # sums depend on their order
    totals = []
    for seed in range(3):
        state = State(None, {}, len(values), onednn=False)
        order = np.random.default_rng(seed).permutation(len(values)).tolist()
        for start in range(0, len(values), 7):
            batch = order[start : start + 7]
            assert state.add(batch, values[batch]) == batch
            np.testing.assert_allclose(state.total, values[order[: start + 7]].sum(axis=0), rtol=1e-12)
        totals.append(state.total)
        assert state.add(order[:3], values[order[:3]]) == []
    np.testing.assert_array_equal(totals[0], values.sum(axis=0))
    np.testing.assert_array_equal(totals[1], totals[0])
    np.testing.assert_array_equal(totals[2], totals[0])
    assert (np.add.reduce(values[::-1]) != totals[0]).any()


def test_a_data_set_ends_in_its_own_order_and_what_was_given_out_stays():
    growing, given = GrowingFaithfulness((0, 1), 3), []
    for number in (2, 0, 1):
        drops = {"tree": np.array([0.0, number])}
        example = ExampleFaithfulness(drops, {"tree": float(number)}, np.full((1, 2), number), number)
        given.append(growing.add(number, example))
    assert [one.n_edges.tolist() for one in given] == [[2], [2, 0], [0, 1, 2]]
    assert given[1].drops["tree"].tolist() == [[0, 2], [0, 0]]
    assert given[2].whole["tree"].tolist() == [0, 1, 2]
    assert given[2].distances[:, 0, 0].tolist() == [0, 1, 2]
    assert [one.n_total for one in given] == [3, 3, 3]
