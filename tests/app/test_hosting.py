"""How the app is started and hosted: options, environment, a quiet start, and ZeroGPU's forked processes."""

import gc
import json
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import app
from attattr_core import UserError, load_checkpoint
from attattr_core.datasets import APP_LIMITS, DataLimits
from attattr_core.engine.attributing import attribute_layers
from attattr_core.ui import Models, build_app, find_cache, warming
from attattr_core.ui.limits import SHARED_LIMITS, PageLimits
from attattr_core.ui.spaces import LONGEST, SHORTEST, estimate_seconds

REPOSITORY = Path(__file__).resolve().parents[2]
VARIABLES = (
    "ATTATTR_SHARE",
    "ATTATTR_AUTH",
    "ATTATTR_OFFLINE",
    "ATTATTR_MCP",
    "ATTATTR_MAX_MODEL_BYTES",
    "ATTATTR_MAX_DATA_BYTES",
    "ATTATTR_MAX_ROWS",
    "ATTATTR_KEEP_SECONDS",
    "GRADIO_SERVER_NAME",
    *(f"ATTATTR_{field.name.upper()}" for field in fields(PageLimits)),
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def build(*arguments):
    return app.build_models(app.parse_arguments(list(arguments)))


def test_options_become_limits(monkeypatch):
    assert (build().limits.offline, build().limits.curated_only, build().limits.max_bytes) == (False, False, 2 * 10**9)
    limits = build("--offline", "--models-only-curated", "--max-model-bytes", "1000").limits
    assert (limits.offline, limits.curated_only, limits.max_bytes) == (True, True, 1000)
    monkeypatch.setenv("ATTATTR_OFFLINE", "1")
    monkeypatch.setenv("ATTATTR_MAX_MODEL_BYTES", "5000")
    assert (build().limits.offline, build().limits.max_bytes) == (True, 5000)
    assert build("--max-model-bytes", "1000").limits.max_bytes == 1000, "an option goes before its variable"
    with pytest.raises(UserError, match="--max-model-bytes is 0: give a number of bytes"):
        build("--max-model-bytes", "0")


def test_limits_are_stricter_where_strangers_can_ask(monkeypatch):
    own, shared = build(), build("--share")
    assert own.page == PageLimits()
    assert shared.page == SHARED_LIMITS
    assert shared.limits.max_bytes < own.limits.max_bytes
    assert (shared.data.max_rows, shared.data.max_bytes) < (own.data.max_rows, own.data.max_bytes)
    assert build("--host", "0.0.0.0").page == SHARED_LIMITS
    monkeypatch.setattr(app, "IS_SPACE", True)
    assert build().page == SHARED_LIMITS
    monkeypatch.setenv("ATTATTR_MAX_MINUTES", "7")
    assert build("--max-visitor-jobs", "2").page == replace(SHARED_LIMITS, max_minutes=7, max_visitor_jobs=2)
    monkeypatch.setenv("ATTATTR_MAX_MINUTES", "soon")
    with pytest.raises(UserError, match="ATTATTR_MAX_MINUTES is 'soon': give a number of minutes, such as 10"):
        build()


def test_every_option_is_in_the_table_of_the_readme():
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("\n## Hosting\n")[1].split("\n## ")[0]
    options = {f"--{name.replace('_', '-')}" for name in vars(app.parse_arguments([]))}
    assert options == set(re.findall(r"^\| `(--[\w-]+)` \|", section, flags=re.MULTILINE))


def test_options_become_limits_on_data(monkeypatch):
    assert build().data == APP_LIMITS
    monkeypatch.setenv("ATTATTR_MAX_ROWS", "70")
    monkeypatch.setenv("ATTATTR_MAX_DATA_BYTES", "900")
    assert build().data == DataLimits(70, 900)
    assert build("--max-data-rows", "8", "--max-data-bytes", "1000").data == DataLimits(8, 1000)
    with pytest.raises(UserError, match="--max-data-rows is -1: give a number of rows"):
        build("--max-data-rows", "-1")


def test_folders_may_be_named_where_nobody_else_can_ask(monkeypatch):
    assert build().folders
    assert build("--host", "localhost").folders
    assert not build("--host", "0.0.0.0").folders
    assert not build("--share").folders
    for variable, value in (("GRADIO_SERVER_NAME", "0.0.0.0"), ("ATTATTR_SHARE", "1")):
        monkeypatch.setenv(variable, value)
        assert not build().folders
        monkeypatch.delenv(variable)
    monkeypatch.setattr(app, "IS_SPACE", True)
    assert not build().folders


def test_who_may_enter(monkeypatch):
    assert app.read_auth(app.parse_arguments([])) is None
    assert app.read_auth(app.parse_arguments(["--auth", "me:a:b"])) == ("me", "a:b")
    monkeypatch.setenv("ATTATTR_AUTH", "you:secret")
    assert app.read_auth(app.parse_arguments([])) == ("you", "secret")
    for wrong in ("mysecret", "mysecret:", ":mysecret", ""):
        with pytest.raises(UserError, match="USER:PASSWORD") as caught:
            app.read_auth(app.parse_arguments(["--auth", wrong]))
        assert "mysecret" not in str(caught.value)


def test_the_mcp_server_is_started_on_request_where_it_can_be(monkeypatch):
    monkeypatch.setattr(app, "find_spec", lambda name: object())
    assert not app.wants_mcp(app.parse_arguments([]))
    assert app.wants_mcp(app.parse_arguments(["--mcp"]))
    monkeypatch.setenv("ATTATTR_MCP", "1")
    assert app.wants_mcp(app.parse_arguments([]))
    with pytest.raises(UserError, match="--mcp cannot ask for a password: leave --auth out"):
        app.wants_mcp(app.parse_arguments(["--auth", "me:a"]))
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'needs a further package: pip install "gradio\[mcp\]"'):
        app.wants_mcp(app.parse_arguments([]))


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("ATTATTR_AUTH", "mysecret", "error: --auth (or ATTATTR_AUTH) is not of the form USER:PASSWORD"),
        ("ATTATTR_MAX_MODEL_BYTES", "two", "error: ATTATTR_MAX_MODEL_BYTES is 'two'"),
        ("ATTATTR_CACHE_BYTES", "much", "error: ATTATTR_CACHE_BYTES is 'much'"),
        ("ATTATTR_SHARE", "perhaps", "error: ATTATTR_SHARE is 'perhaps'"),
    ],
)
def test_a_wrong_setting_ends_the_start_in_one_sentence(monkeypatch, capsys, variable, value, sentence):
    from attattr_core.ui import find_cache

    find_cache.cache_clear()
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "argv", ["app.py"])
    with pytest.raises(SystemExit) as caught:
        app.main()
    find_cache.cache_clear()
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
    assert "mysecret" not in str(caught.value)


def test_the_help_names_every_option_and_variable(capsys):
    with pytest.raises(SystemExit):
        app.parse_arguments(["--help"])
    text = capsys.readouterr().out
    for word in ("--host", "--port", "--share", "--auth", "--models-only-curated", "--max-model-bytes", "--offline"):
        assert word in text
    for word in ("--max-data-rows", "--max-data-bytes", "ATTATTR_MAX_ROWS", "ATTATTR_MAX_DATA_BYTES", "--mcp"):
        assert word in text
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for word in (*VARIABLES, "GRADIO_SERVER_PORT", "ATTATTR_MODELS_ONLY_CURATED", "ATTATTR_DEVICE", "HF_TOKEN"):
        assert word in text
        assert f"`{word}`" in readme


_START = """
import socket, sys, time, urllib.request
def refuse(self, address, connect=socket.socket.connect):
    assert address[0] in ("127.0.0.1", "::1", "localhost"), address
    return connect(self, address)
socket.socket.connect = refuse
from app import launch
from attattr_core.ui import build_app
_, url, _ = launch(build_app(), server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
assert b"AttAttr" in urllib.request.urlopen(url).read()
print(sorted({"torch", "transformers", "peft", "matplotlib", "networkx", "ray"} & set(sys.modules)))
"""


def run_script(*command, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "ATTATTR_"))}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env={**environment, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_a_start_loads_nothing_heavy_and_asks_nobody():
    assert run_script("-c", _START) == "[]"


_IMPORT = """
import gc, sys
import attattr_core.ui
import gradio
made = gradio.component_meta.create_or_modify_pyi.__module__
print(made, gc.isenabled(), [type(finder).__name__ for finder in sys.meta_path if "attattr" in type(finder).__module__])
"""


def test_gradio_is_imported_without_writing_its_stubs_and_nothing_stays_changed():
    assert run_script("-c", _IMPORT) == "attattr_core.ui.importing True []"


def test_a_first_visit_loads_the_embedded_checkpoints_elsewhere_than_on_zero_gpu(monkeypatch):
    n_events = len(build_app(Models()).fns)
    with monkeypatch.context() as patched:
        patched.setattr(warming, "IS_ZERO_GPU", True)
        assert len(build_app(Models(), warms=True).fns) == n_events
    assert len(build_app(Models(), warms=True).fns) == n_events + 1

    find_cache().clear()
    n_left_alone = gc.get_freeze_count()
    warming.warm_up()
    assert gc.get_freeze_count() > n_left_alone, "the collector would hold up every request"
    assert {key.name for key in find_cache().list_keys()} >= {"sst2", "snli"}


# ------------------------------------------------------------------------------------------------------- ZeroGPU


def test_only_plain_data_crosses_to_the_process_with_the_gpu(hub, tiny, copy, tmp_path):
    """The main process downloads and never loads torch, runs happen in forks, numbers are those of one process."""
    hub.add("org/tiny", copy(id2label=None, label2id=None))
    folder = Path(__file__).parent / "zero_gpu"
    found = json.loads(
        run_script(
            str(folder / "serve.py"),
            "org/tiny",
            PYTHONPATH=f"{folder}{os.pathsep}{REPOSITORY}",
            SPACES_ZERO_GPU="1",
            HF_HOME=str(tmp_path / "hf"),
            HF_ENDPOINT=hub.url,
            HOME=str(tmp_path),
        )
    )
    assert found["loaded"] == [], "the main process holds no model"
    ours, embedded, empty = found["results"]
    *_, expected = attribute_layers(load_checkpoint(tiny, device="cpu"), "A quiet film.")
    np.testing.assert_allclose(ours["probabilities"], expected.probabilities, atol=1e-6)
    assert (ours["model"], ours["labels"], ours["status"]) == ("org/tiny", ["LABEL_0", "LABEL_1"], "done")
    assert ours["device"].endswith("float32")
    assert embedded["labels"] == ["entailment", "neutral", "contradiction"]
    assert empty is None
    assert found["sentences"] == ["", "", "Sentence A is empty: type a sentence to explain."]
    assert found["proposals"] == [True, False], "what a probe found comes back as well"
    assert len(found["asked"]) == 2, "an empty text needs no card"
    assert all(SHORTEST <= seconds <= LONGEST for seconds in found["asked"])


def test_the_time_that_is_asked_for_grows_with_the_work():
    base = estimate_seconds(440_000_000, n_characters=100, n_nodes=8)
    assert SHORTEST <= base <= 20
    assert estimate_seconds(440_000_000, n_characters=2000, n_nodes=8) > base
    assert estimate_seconds(440_000_000, n_characters=2000, n_nodes=64) > estimate_seconds(
        440_000_000, n_characters=2000, n_nodes=8
    )
    assert estimate_seconds(1_400_000_000, n_characters=100, n_nodes=8) > base
    assert estimate_seconds(1000) == SHORTEST
    assert estimate_seconds(2_000_000_000, n_characters=10**6, n_nodes=256) == LONGEST


def test_the_front_matter_names_models_of_the_list():
    from attattr_core.checkpoints.curated import find_curated

    front = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("\n---\n")[0]
    models, preloaded = front.split("\nmodels:\n")[1].split("\npreload_from_hub:\n")
    entries = [line.removeprefix("  - ") for line in models.splitlines() + preloaded.splitlines() if line[:3] == "  -"]
    assert len(entries) >= 4
    for entry in entries:
        assert find_curated(entry.split()[0]), entry
