"""A few visitors at once for some seconds: every answer is one's own, and no error is without a sentence."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.load.load import print_report, run


@pytest.mark.skipif(sys.platform != "linux", reason="the server's memory is read from /proc")
def test_some_visitors_at_once():
    with ThreadPoolExecutor(1) as thread:  # the browser tests leave an event loop running in the main one
        report = thread.submit(run, 4, 12.0).result()
    print_report(report, 4)  # some seconds show no growth of the memory, so it is told and not judged
    assert report.list_faults() == []
    assert sum(not visit.refusal for visit in report.visits) >= 4
