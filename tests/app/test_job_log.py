"""The line that a job leaves, and the end of all jobs."""

import logging
import threading
from types import SimpleNamespace

import pytest

from attattr_core import UserError
from attattr_core.ui import job_log
from attattr_core.ui.job_log import Refusal, Roll, count_rows, logged

JOB = SimpleNamespace(description=SimpleNamespace(name="org/model", folder=None))


@pytest.fixture(autouse=True)
def roll(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "attattr_core.jobs")
    roll = Roll()
    monkeypatch.setattr(job_log, "ROLL", roll)
    return roll


@logged("counting", lambda step, job: count_rows(step or 0))
def count(job):
    yield from (1, 2, 3)


@logged("refusing", lambda step, job: "nothing")
def refuse(job):
    yield Refusal("No.")


@logged("failing", lambda step, job: "nothing")
def fail(job):
    yield 1
    raise RuntimeError("a text of somebody")


def list_ends(caplog) -> list[tuple[str, str]]:
    return [(message.split(", ")[0], message.split(", ")[-1]) for message in caplog.messages]


def test_a_line_says_how_a_job_ended(caplog):
    assert list(count(JOB)) == [1, 2, 3]
    stopped = count(JOB)
    next(stopped)
    stopped.close()
    list(refuse(JOB))
    refusing = refuse(JOB)
    next(refusing)
    refusing.close()  # as handlers do, which raise the refusal at once
    with pytest.raises(RuntimeError):
        list(fail(JOB))
    ends = [("counting", "done"), ("counting", "stopped"), ("refusing", "refused"), ("refusing", "refused")]
    assert list_ends(caplog) == [*ends, ("failing", "failed")]
    assert "org/model, 3 rows" in caplog.messages[0]
    assert "org/model, 1 row," in caplog.messages[1]
    assert "somebody" not in caplog.text


def test_the_end_of_the_server_stops_jobs_at_their_next_step_and_begins_none(roll, caplog):
    steps, refused = count(JOB), []
    next(steps)

    def go_on():
        try:
            next(steps)
        except UserError as error:
            refused.append(str(error))

    assert not roll.end(0), "a job is in the middle of a step"
    worker = threading.Thread(target=go_on)
    worker.start()
    assert roll.end(60)
    worker.join()
    assert refused == ["The server is being shut down: try again when it is back."]
    with pytest.raises(UserError, match="is being shut down"):
        next(count(JOB))
    assert list_ends(caplog) == [("counting", "stopped"), ("counting", "stopped")]
