"""``/healthz``: quick, without torch, without what visitors wrote."""

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
from gradio_client import Client

REPOSITORY = Path(__file__).resolve().parents[2]

_IDLE = """
import json, sys, urllib.request
from app import launch
from attattr_core.ui import build_app
_, url, _ = launch(build_app(), server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, auth=("you", "secret"))
found = json.load(urllib.request.urlopen(url + "healthz"))
print(json.dumps([found, sorted({"torch", "transformers"} & set(sys.modules))]))
"""


def test_it_answers_everybody_and_loads_nothing_heavy(monkeypatch):
    monkeypatch.setenv("ATTATTR_DEVICE", "cpu")
    done = subprocess.run(
        [sys.executable, "-c", _IDLE], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True
    )
    found, heavy = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert set(found["versions"]) == {"python", "torch", "transformers"}
    assert found["uptime_seconds"] >= 0
    wanted = {"status": "ok", "queue_length": 0, "running": 0, "models": [], "device": "cpu"}
    assert {name: found[name] for name in wanted} == wanted


def test_it_answers_while_a_job_runs_and_says_nothing_of_it(app_url, tiny):
    client = Client(app_url, verbose=False)
    client.predict(str(tiny), "A film.", api_name="/attribute")
    rows = [{"text": f"The umbrella, {number}.", "label": "positive"} for number in range(400)]
    jobs = [
        Client(app_url, verbose=False).submit("sst2", data=rows, n_examples=400, api_name="/head_importance")
        for _ in range(2)
    ]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = httpx.get(f"{app_url}healthz")
        found = answer.json()
        if found["running"] + found["queue_length"] == 2 and "sst2" in found["models"]:
            break  # they take turns, and the second one may not have had its first
        time.sleep(0.02)
    for job in jobs[::-1]:
        job.cancel()
    assert found["running"] + found["queue_length"] == 2
    assert found["running"] >= 1
    assert {"sst2", "a folder"} <= set(found["models"])
    assert found["device"] in ("cpu", "mps") or found["device"].startswith("cuda")
    assert "umbrella" not in answer.text
    assert str(tiny) not in answer.text
    assert httpx.head(f"{app_url}healthz").status_code == 200
    assert httpx.post(f"{app_url}healthz").status_code == 405
