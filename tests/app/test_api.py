"""The endpoints for programs, called by gradio_client and by plain HTTP, as curl does."""

import json
import logging
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from attattr_core import Settings, attribute, build_tree, load_attribution, load_checkpoint, load_tree
from attattr_core.heads.importance_files import load_importance
from attattr_core.heads.study_files import load_study
from attattr_core.triggers.files import load_triggers
from attattr_core.triggers.study_files import load_study as load_trigger_study

ENDPOINTS = {
    "/list_models",
    "/load",
    "/attribute",
    "/tree",
    "/head_importance",
    "/prune",
    "/mine_triggers",
    "/evaluate_triggers",
}
TEXT = "Not a single dull moment."
ROWS = [
    {"text": "A warm and funny film.", "label": "positive"},
    {"text": "Two hours that I will not get back.", "label": "negative"},
    {"text": "It never finds its feet.", "label": 0},
]


@pytest.fixture(scope="module")
def client(app_url):
    return Client(app_url, verbose=False)


@pytest.fixture
def save(tmp_path):
    """Saves a part of an answer, as a person would who goes on with the command line."""

    def write(content, name="answer.json"):
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


def post(app_url: str, name: str, **fields) -> httpx.Response:
    return httpx.post(f"{app_url}gradio_api/call/v2/{name}", json=fields)


def call(app_url: str, name: str, **fields) -> tuple[str, object]:
    """The last event of a call by plain HTTP, and its data."""
    event_id = post(app_url, name, **fields).json()["event_id"]
    stream = httpx.get(f"{app_url}gradio_api/call/{name}/{event_id}", timeout=120).text
    event, data = stream.strip().split("\n\n")[-1].split("\n", 1)
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_only_the_named_endpoints_are_described_and_each_with_all_its_fields(app_url):
    found = httpx.get(f"{app_url}gradio_api/info").json()
    assert set(found["named_endpoints"]) == ENDPOINTS
    assert found["unnamed_endpoints"] == {}
    for endpoint in found["named_endpoints"].values():
        assert len(endpoint["description"]) > 40
        for field in endpoint["parameters"]:
            assert field["type"]
            assert len(field["label"]) > 15, "not 1st, 2nd and so on"
        (answer,) = endpoint["returns"]
        assert answer["type"]["properties"]["status"] == {"enum": ["waiting", "running", "done"]}


def test_every_field_is_explained():
    from gradio.utils import get_function_description

    from attattr_core.ui import Models
    from attattr_core.ui.api import HeadEndpoints, TextEndpoints, TriggerEndpoints

    for home in (TextEndpoints(Models()), HeadEndpoints(Models()), TriggerEndpoints(Models())):
        for name in {name[1:] for name in ENDPOINTS} & set(dir(home)):
            description, fields, returned = get_function_description(getattr(home, name))
            assert description
            assert returned
            assert all(fields.values()), (name, fields)


def test_the_list_says_what_may_be_asked_for(client):
    found = client.predict(api_name="/list_models")
    first, second, *others = found["models"]
    assert (first["id"], first["labels"], first["is_pair"]) == ("sst2", ["negative", "positive"], False)
    assert (second["id"], second["is_pair"]) == ("snli", True)
    assert any(entry["id"] == "FacebookAI/roberta-large-mnli" for entry in others)
    assert found["takes_other_models"] is True
    assert found["limits"]["data_rows"] == 100_000


def test_an_attribution_is_that_of_the_library_and_of_the_command_line(client, save):
    settings = {"function": "logit", "n_steps": 3, "rule": "left"}
    answer = client.predict("sst2", TEXT, target="negative", settings=settings, maps=True, api_name="/attribute")
    assert answer["status"] == "done"
    found = load_attribution(save(answer["result"]))
    wanted = attribute(load_checkpoint("sst2"), TEXT, target="negative", settings=Settings(**settings))
    np.testing.assert_allclose(found.attribution, wanted.attribution, atol=1e-6)
    np.testing.assert_array_equal(found.attention, wanted.attention)
    assert answer["converged"] == wanted.converged.tolist()
    largest = np.unravel_index(np.abs(wanted.attribution).argmax(), wanted.attribution.shape)
    first = answer["strongest"][0]
    assert (first["layer"], first["head"], first["receiver"], first["sender"]) == largest
    assert len(answer["strongest"]) == 20
    again = client.predict("sst2", TEXT, target="0", settings=answer["result"]["settings"], api_name="/attribute")
    assert again["result"]["convergence_delta"] == answer["result"]["convergence_delta"], (
        "its settings can be sent back"
    )
    assert "attribution" not in again["result"]


def test_a_tree_is_that_of_the_library(client, save):
    texts = ("A man sleeps.", "A man runs.")
    answer = client.predict("snli", *texts, n_edges=5, words=True, api_name="/tree")
    found = load_tree(save(answer["tree"]))
    wanted = build_tree(attribute(load_checkpoint("snli"), *texts), n_edges=5, words=True)
    assert [(edge.layer, edge.receiver, edge.sender) for edge in found.edges] == [
        (edge.layer, edge.receiver, edge.sender) for edge in wanted.edges
    ]
    assert found.kept_share == pytest.approx(wanted.kept_share, abs=1e-5)


def test_rows_a_file_and_an_embedded_set_are_read_alike(client, save, tmp_path):
    options = {"method": "attention", "api_name": "/head_importance"}
    by_rows = client.predict("sst2", data=ROWS, **options)["importance"]
    path = tmp_path / "mine.tsv"
    path.write_text("sentence\tlabel\n" + "".join(f"{row['text']}\t{row['label']}\n" for row in ROWS), encoding="utf-8")
    by_file = client.predict("sst2", file=handle_file(str(path)), **options)["importance"]
    assert by_file["head_importance"] == by_rows["head_importance"]
    assert (by_file["data"], by_rows["n_examples"]) == ("mine.tsv", 3)
    embedded = client.predict("sst2", n_examples=4, seed=1, **options)["importance"]
    assert (embedded["data"], embedded["n_examples"], embedded["seed"]) == ("sst2.tsv", 4, 1)
    assert load_importance(save(embedded)).values.shape == (6, 12)


def test_importances_that_were_answered_can_be_pruned_by(client, save):
    importance = client.predict("sst2", data=ROWS, method="taylor", api_name="/head_importance")["importance"]
    job = client.submit(
        "sst2", {"mine": importance}, n_examples=4, n_seeds=0, direction="least-first", api_name="/prune"
    )
    study = load_study(save(job.result(timeout=120)["study"]))
    assert [(curve.method, curve.direction) for curve in study.curves] == [("mine", "least-first")]
    assert study.n_examples == 4
    bare = {"head_importance": importance["head_importance"]}
    options = {"n_examples": 4, "n_seeds": 0, "direction": "least-first", "api_name": "/prune"}
    answer = client.predict("sst2", {"mine": bare}, **options)
    assert answer["notice"].startswith("It is not known which examples ranked the heads")
    told = [answer for answer in job.outputs() if answer["status"] == "running"]
    assert told
    assert all(0 <= answer["n_done"] < answer["n_total"] for answer in told)


def test_triggers_are_mined_and_evaluated(client, save):
    mined = client.predict("sst2", data=ROWS, api_name="/mine_triggers")["triggers"]
    assert len(load_triggers(save(mined)).triggers) == len(ROWS)
    with pytest.raises(AppError, match="3 of the 3 examples of 'data' were used for mining"):
        client.predict("sst2", mined, data=ROWS, api_name="/evaluate_triggers")
    others = [{"text": row["text"] + " Really.", "label": row["label"]} for row in ROWS]
    answer = client.predict("sst2", mined, data=others, n_triggers=2, n_seeds=1, api_name="/evaluate_triggers")
    study = load_trigger_study(save(answer["study"]))
    assert (len(study.results), study.n_examples) == (2, 3)


@pytest.mark.parametrize(
    ("name", "fields", "sentence"),
    [
        ("attribute", {"text": 5}, "text is 5: give a text."),
        ("attribute", {"text": "x", "maps": "yes"}, "maps is 'yes': give true or false."),
        ("attribute", {"text": "x", "settings": ["logit"]}, r"settings is \['logit'\]: give an object or null."),
        ("attribute", {"text": "x", "settings": {"speed": 1}}, "Unknown setting 'speed': choose among function"),
        ("attribute", {"text": "x", "settings": {"baseline": "one"}}, "Unknown baseline 'one'"),
        ("attribute", {"text": "x", "settings": {"n_steps": 300}}, "choose a whole number from 1 to 256 here"),
        ("attribute", {"text": "x", "target": "happy"}, "no label 'happy'"),
        ("attribute", {"text": "x", "n_strongest": -1}, "The number of entries is -1"),
        ("attribute", {"text": "a" * 20_001}, "Sentence A has 20,001 characters, and up to 20,000 are taken here"),
        ("attribute", {"text": ""}, "Sentence A is empty"),
        ("attribute", {"text": "word " * 200, "maps": True}, "numbers: up to 3,000,000 are sent"),
        ("attribute", {"text": "x", "model": "no/such@@"}, "is no revision of no/such"),
        ("tree", {"text": "x", "mode": "oak"}, "mode is 'oak': give flow, paper."),
        ("tree", {"text": "x", "n_edges": -1}, "number of edges is -1"),
        ("head_importance", {"data": []}, "data has no rows"),
        ("head_importance", {"data": [1]}, "An entry of data is no object"),
        ("head_importance", {"data": [{"text": "x"}]}, "label"),
        ("head_importance", {"data": [{"text": "x", "label": "odd"}]}, "Row 1 of data has the label 'odd'"),
        ("head_importance", {"data": "/etc/passwd"}, "Unknown data '/etc/passwd'"),
        ("head_importance", {"file": {"path": "/etc/passwd"}}, "file is no upload"),
        ("head_importance", {"n_examples": 6000}, "choose a whole number from 1 to 5,000"),
        ("head_importance", {"data": "sst2", "file": {"path": "x"}}, "Both data and file are given"),
        ("prune", {"importances": {"a": {"head_importance": [[1.0]]}}}, "layers"),
        ("prune", {"importances": {"a": 3}}, "holds no head importance"),
        ("evaluate_triggers", {"triggers": []}, "triggers is an empty list"),
        ("evaluate_triggers", {"triggers": [{"tokens": 3}]}, "is not a list of triggers"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(client, name, fields, sentence):
    with pytest.raises(AppError, match=sentence) as caught:
        client.predict(**{"model": "sst2", **fields}, api_name=f"/{name}")
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_an_upload_that_gradio_has_not_received_is_refused(client):
    with pytest.raises(AppError):
        client.predict(
            "sst2",
            file={"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}, "url": None},
            api_name="/head_importance",
        )


def test_more_rows_than_the_limit_are_refused(client, models, monkeypatch):
    from attattr_core.datasets import DataLimits

    monkeypatch.setattr(models, "data", DataLimits(2, 100_000))
    with pytest.raises(AppError, match="data has more than 2 rows"):
        client.predict("sst2", data=ROWS, api_name="/head_importance")
    monkeypatch.setattr(models, "data", DataLimits(10, 50))
    with pytest.raises(AppError, match="data has more than 50 bytes"):
        client.predict("sst2", data=ROWS, api_name="/head_importance")


def test_plain_http_gives_the_same_and_says_what_is_missing_or_unknown(app_url, client):
    event, (answer,) = call(app_url, "attribute", model="sst2", text=TEXT)
    assert event == "complete"
    assert answer["result"] == client.predict("sst2", TEXT, api_name="/attribute")["result"]
    assert call(app_url, "attribute", model="sst2", text="")[0] == "error"
    missing, unknown, nowhere = (
        post(app_url, "attribute", model="sst2"),
        post(app_url, "attribute", model="sst2", text=TEXT, colour="red"),
        post(app_url, "paint", model="sst2"),
    )
    assert (missing.status_code, missing.json()["detail"]) == (422, "No value provided for required argument: text")
    assert unknown.status_code == 422
    assert unknown.json()["detail"].startswith("Parameter `colour` is not a valid")
    assert (nowhere.status_code, nowhere.json()["detail"]) == (404, "There is no endpoint '/paint'.")


def test_a_job_that_is_cancelled_stops_and_the_log_says_so_without_the_text(client, caplog):
    caplog.set_level(logging.INFO, "attattr_core.jobs")
    rows = [
        {"text": f"{row['text']} Umbrella {number}.", "label": row["label"]} for number in range(200) for row in ROWS
    ]
    job = client.submit("sst2", data=rows, n_examples=600, api_name="/head_importance")
    while not job.outputs():
        time.sleep(0.05)
    job.cancel()
    deadline = time.monotonic() + 60
    while not caplog.messages and time.monotonic() < deadline:
        time.sleep(0.05)
    (line,) = caplog.messages
    assert line.startswith("head importance, sst2, 600 rows, ")
    assert line.endswith(" s, stopped")
    client.predict("sst2", "The umbrella again.", api_name="/attribute")
    with pytest.raises(AppError):
        client.predict("sst2", "The umbrella.", target="happy", api_name="/attribute")
    done, refused = caplog.messages[1:]
    assert done.startswith("attribution, sst2, 6 tokens, ")
    assert done.endswith("done")
    assert refused.endswith("refused")
    assert "mbrella" not in caplog.text


def test_a_folder_has_no_name_in_the_log(client, caplog, tiny):
    caplog.set_level(logging.INFO, "attattr_core.jobs")
    client.predict(str(tiny), "A film.", api_name="/attribute")
    (line,) = caplog.messages
    assert line.startswith("attribution, a folder, ")


def test_models_and_data_of_the_hub_are_loaded_first(client, served, copy):
    served.add("org/tiny", copy())
    with pytest.raises(AppError, match="'org/tiny' is not downloaded yet: call load first"):
        client.predict("org/tiny", "A film.", api_name="/attribute")
    loaded = client.predict("org/tiny", api_name="/load")
    assert (loaded["status"], loaded["name"]) == ("done", "org/tiny")
    assert len(loaded["revision"]) == 40
    assert client.predict("org/tiny", "A film.", api_name="/attribute")["result"]["revision"] == loaded["revision"]
    with pytest.raises(AppError, match="org/none"):
        client.predict("hub:org/none", api_name="/load")


# ---------------------------------------------------------------------------------------------------------- README

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def find_example(mark: str, app_url: str) -> str:
    """The example below a mark, for the server of the tests."""
    example = README.split(f"<!-- {mark} -->\n```")[1].split("```")[0].split("\n", 1)[1]
    assert "http://127.0.0.1:7860/" in example
    return example.replace("http://127.0.0.1:7860/", app_url)


def test_the_example_in_python_runs(app_url, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("dev.tsv").write_text("sentence\tlabel\nGood.\tpositive\n", encoding="utf-8")
    names = {}
    exec(find_example("api-python", app_url), names)
    assert len(names["study"]["curves"]) == 2
    assert "done" in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_example_with_curl_runs(app_url):
    done = subprocess.run(
        ["bash", "-c", find_example("api-curl", app_url)], capture_output=True, text=True, timeout=120, check=True
    )
    event, data = done.stdout.strip().split("\n\n")[-1].split("\n", 1)
    assert event == "event: complete"
    (answer,) = json.loads(data.removeprefix("data: "))
    assert answer["tree"]["model"] == "snli"


def test_the_table_names_every_endpoint():
    table = README.split("\n## API\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == {name[1:] for name in ENDPOINTS}
