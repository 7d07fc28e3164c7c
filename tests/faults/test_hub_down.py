"""The Hub goes down in the midst of everything that is asked of it, and comes back."""

from contextlib import contextmanager

import httpx
import pytest
from faults.visiting import ROWS, load, run, visit
from gradio_client.exceptions import AppError
from hub.parquet_files import save_sentiment

from attattr_core.hub import describe, find_snapshot, parse_reference

WEIGHTS = "model.safetensors"
PARQUET = "data/train-00000-of-00001.parquet"
NEVER = [0] * 20
DOWN = [503] * 20


@pytest.fixture
def client(app_url, served):
    return visit(app_url)


@contextmanager
def refused(client, sentence):
    """What is done inside ends with a sentence, and the next request works."""
    with pytest.raises(AppError, match=sentence) as caught:
        yield
    assert "Traceback" not in str(caught.value)
    assert run(client, "sst2")[0]["status"] == "done"


def list_shown(home, name):
    """What the cache shows as a whole file."""
    return [path for path in (home / "cache").rglob(f"snapshots/*/{name}") if path.exists()]


def check_loaded(client, tiny):
    assert "in the cache" in load(client, "org/tiny")["size"]
    folder = find_snapshot(describe(parse_reference("org/tiny")))
    assert (folder / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()
    assert run(client, "org/tiny")[0]["status"] == "done"


def test_a_download_that_is_cut_off_goes_on_when_the_hub_is_back(client, served, tiny, home):
    size = (tiny / WEIGHTS).stat().st_size
    model = served.add("org/tiny", tiny, cuts={WEIGHTS: [size // 2, *NEVER]})
    with refused(client, r"'org/tiny' broke off after 0\.\d of 0\.\d MB of model.safetensors .* goes on from there"):
        load(client, "org/tiny")
    assert list_shown(home, WEIGHTS) == []
    assert run(client, "org/tiny")[1] == "'org/tiny' is not downloaded yet: press Load first."
    model.cuts.clear()
    served.requests.clear()
    check_loaded(client, tiny)
    ranges = [
        headers["range"] for _, path, headers in served.requests if "range" in headers and path.startswith("/cdn")
    ]
    assert ranges == [f"bytes={size // 2}-"]


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (DOWN, r"broke off after 0\.0 of .*the Hub has an error of its own \(503\)"),
        ([500] * 20, r"the Hub has an error of its own \(500\)"),
        ([429], r"the Hub refuses more requests for now \(429; in 30 seconds it answers again\)"),
    ],
)
def test_a_hub_that_answers_with_errors(client, served, tiny, home, errors, sentence):
    model = served.add("org/tiny", tiny, file_errors={WEIGHTS: list(errors)})
    with refused(client, sentence):
        load(client, "org/tiny")
    assert list_shown(home, WEIGHTS) == []
    model.file_errors.clear()
    check_loaded(client, tiny)


def test_short_failures_are_not_even_noticed(client, served, tiny):
    size = (tiny / WEIGHTS).stat().st_size
    served.add(
        "org/tiny", tiny, file_errors={WEIGHTS: [500, 503]}, cuts={WEIGHTS: [size // 3, 0]}, stalls={WEIGHTS: [1000]}
    )
    check_loaded(client, tiny)


def test_a_hub_that_stalls(client, served, tiny):
    size = (tiny / WEIGHTS).stat().st_size
    model = served.add("org/tiny", tiny, stalls={WEIGHTS: [size // 2]})
    check_loaded(client, tiny)
    assert model.stalls == {WEIGHTS: []}
    assert any(headers.get("range") == f"bytes={size // 2}-" for _, _, headers in served.requests)


@pytest.mark.parametrize("fault", [{"listing_cuts": [30] * 20}, {"errors": [500] * 20}, {"errors": [429] * 20}])
def test_a_listing_that_breaks_off(client, app_url, served, models, tiny, fault):
    model = served.add("org/tiny", tiny, **fault)
    with refused(client, r"The Hub (cannot be reached|has an error|refuses more).*is not in the cache: try again"):
        load(client, "org/tiny")
    model.listing_cuts, model.errors = [], []
    check_loaded(client, tiny)
    models.forget()
    for name, value in fault.items():
        setattr(model, name, value)
    another = visit(app_url)
    assert "the copy in the cache is used" in load(another, "org/tiny")["notice"]
    assert run(another, "org/tiny")[0]["status"] == "done"


def test_a_data_set_that_is_cut_off_goes_on(client, served, tmp_path, home):
    folder = tmp_path / "served" / "films"
    save_sentiment(folder / PARQUET, n=4000)
    size = (folder / PARQUET).stat().st_size
    data = served.add("datasets/org/films", folder, cuts={PARQUET: [size // 2, *NEVER]})
    name = "hub:org/films:default:train"
    with refused(client, r"The download of 'org/films' broke off"):
        client.predict(name, api_name="/load")
    assert list_shown(home, PARQUET) == []
    with refused(client, "is not downloaded yet: call load first"):
        client.predict("sst2", data=name, api_name="/head_importance")
    data.cuts.clear()
    assert client.predict(name, api_name="/load")["status"] == "done"
    (file,) = list_shown(home, PARQUET)
    assert file.read_bytes() == (folder / PARQUET).read_bytes()
    asked = {"data": name, "method": "attention", "n_examples": 4, "api_name": "/head_importance"}
    assert client.predict("sst2", **asked)["status"] == "done"
    data.errors = [500] * 20
    with refused(client, "The Hub has an error of its own"):
        client.predict("hub:org/films@v2:default:train", api_name="/load")
    assert client.predict("sst2", data=ROWS, method="attention", api_name="/head_importance")["status"] == "done"


def test_a_hub_that_is_gone(client, served, tiny, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with refused(client, "The Hub cannot be reached, and 'org/tiny' is not in the cache: try again later"):
        load(client, "org/tiny")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", served.url)
    served.add("org/tiny", tiny)
    assert httpx.get(f"{served.url}/api/models/org/tiny").status_code == 200
    check_loaded(client, tiny)
