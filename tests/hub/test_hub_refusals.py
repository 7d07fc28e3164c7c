"""Every refusal is one sentence with a way out, comes before a download, and leaves nothing outside of the cache."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hub.editing import edit
from hub.server import GOOD_TOKEN

from attattr_core import UnsupportedModelError, UserError
from attattr_core.checkpoints.curated import read_curated
from attattr_core.hub import HubLimits, describe, parse_reference


@pytest.fixture(autouse=True)
def _nothing_large_is_fetched(hub):
    yield
    assert not hub.list_paths("/cdn/") or all("safetensors" not in path for path in hub.list_paths("/cdn/"))


def test_a_model_that_does_not_exist(hub, refuse, monkeypatch):
    refuse("org/none", "There is no model 'org/none' on the Hub: check the spelling; if it is private, .* HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    refuse("org/none", "There is no model 'org/none' on the Hub: check the spelling")


def test_a_revision_that_does_not_exist(hub, tiny, refuse):
    hub.add("org/tiny", tiny)
    refuse("org/tiny@v9", "'org/tiny' has no revision 'v9': see http.*/org/tiny/commits")


def test_a_gated_model(hub, tiny, refuse, monkeypatch):
    hub.add("org/gated", tiny, gated=True)
    sentence = f"'org/gated' is gated: accept its terms at {hub.url}/org/gated, then put a token .* into HF_TOKEN"
    refuse("org/gated", sentence)
    monkeypatch.setenv("HF_TOKEN", "hf_somebody_else")
    refuse("org/gated", sentence)
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    assert describe(parse_reference("org/gated")).labels == ("no", "yes")


def test_a_disabled_model(hub, tiny, refuse):
    hub.add("org/off", tiny, disabled=True)
    refuse("org/off", "The Hub has disabled 'org/off': choose another model")


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [
        ("BertForMaskedLM", "BertForMaskedLM, which fills in masked words"),
        ("GPT2LMHeadModel", "GPT2LMHeadModel, which continues a text"),
        ("BertForTokenClassification", "BertForTokenClassification, which labels single tokens"),
        ("BertForQuestionAnswering", "which finds answers in a text"),
        ("BertModel", "BertModel, which is an encoder without a head"),
        (None, "of no stated kind"),
    ],
)
def test_no_classification_head(hub, copy, refuse, architecture, kind):
    hub.add("org/other", copy(architectures=[architecture] if architecture else None))
    refuse("org/other", rf"'org/other' is not a sequence classifier \(it is .*{kind}\): choose a checkpoint fine-tuned")


def test_pickled_weights_only(hub, copy, refuse):
    hub.add("org/pickled", copy(without=("model.safetensors",)))
    refuse("org/pickled", r"'org/pickled' has pickled weights only \(pytorch_model.bin\), which can run code")


def test_no_weights_at_all(hub, copy, refuse):
    hub.add("org/none", copy(without=("model.safetensors", "pytorch_model.bin", "tf_model.h5")))
    refuse("org/none", "'org/none' has no safetensors weights")


def test_lost_parts_of_the_weights(hub, copy, refuse):
    folder = copy(without=("model.safetensors",))
    (folder / "model.safetensors.index.json").write_text("{}")
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"part")
    hub.add("org/parts", folder)
    refuse("org/parts", r"'org/parts' lacks some of its weights \(1 of 2 parts\)")


def test_no_configuration(hub, copy, refuse):
    folder = copy()
    (folder / "config.json").unlink()
    hub.add("org/bare", folder)
    refuse("org/bare", "'org/bare' has no config.json: it is not a model of transformers")


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_configuration_that_is_not_json(hub, copy, refuse, content):
    folder = copy()
    (folder / "config.json").write_bytes(content)
    hub.add("org/broken", folder)
    refuse("org/broken", "config.json of 'org/broken' is not a JSON object")


def test_a_configuration_that_is_far_too_long(hub, copy, refuse):
    folder = copy()
    (folder / "config.json").write_text(json.dumps({"x": "y" * (1 << 21)}))
    hub.add("org/long", folder)
    refuse("org/long", "config.json of 'org/long' is longer than 1 MiB")


def test_a_configuration_that_is_not_the_one_announced(hub, tiny, refuse):
    hub.add("org/swapped", tiny, contents={"config.json": (tiny / "config.json").read_bytes().replace(b"yes", b"yet")})
    refuse("org/swapped", "config.json of 'org/swapped' is not what the Hub announced")


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "custom", "auto_map": {"AutoModelForSequenceClassification": "modeling_custom.Custom"}},
        {
            "architectures": ["CustomForSequenceClassification"],
            "auto_map": {"AutoModelForSequenceClassification": "modeling_custom.CustomForSequenceClassification"},
        },
        {"model_type": ["bert"], "auto_map": {"AutoConfig": "evil/repo--modeling_custom.Custom"}},
    ],
)
def test_code_from_the_repository(hub, copy, refuse, changes):
    hub.add("org/code", copy(**changes))
    refuse("org/code", "'org/code' needs code from its repository, which is never run here")


def test_more_than_the_limit(hub, tiny, refuse, monkeypatch):
    hub.add("org/large", tiny)
    limits = HubLimits(max_bytes=100_000)
    sentence = r"'org/large' needs 0\.\d MB, more than the limit of 0\.1 MB: .* raise ATTATTR_MAX_MODEL_BYTES"
    message = refuse("org/large", sentence, limits=limits)
    monkeypatch.setenv("ATTATTR_MAX_MODEL_BYTES", "100000")
    assert refuse("org/large", sentence) == message


def test_an_unsupported_family(hub, copy, refuse):
    hub.add("org/long", copy(model_type="longformer"))
    refuse("org/long", "Models of the family 'longformer' cannot be attributed: its attention is approximate, banded")
    with pytest.raises(UnsupportedModelError):
        describe(parse_reference("org/long"))


def test_a_quantised_model(hub, copy, refuse):
    hub.add("org/quantised", copy(quantization_config={"quant_method": "bitsandbytes"}))
    refuse("org/quantised", "'org/quantised' is quantised, which needs other libraries")


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab_size": 10**7},
        {"hidden_size": 10**9},
        {"num_hidden_layers": 10**8},
        {"max_position_embeddings": 10**12},
        {"num_attention_heads": 1e300},
    ],
)
def test_absurd_sizes(hub, copy, refuse, changes):
    hub.add("org/absurd", copy(**changes))
    started = time.monotonic()
    refuse("org/absurd", "config.json of 'org/absurd' (says|asks)")
    assert time.monotonic() - started < 5


def test_names_of_classes_that_make_no_sense(hub, copy, refuse):
    hub.add("org/labels", copy(id2label={"0": "same", "1": "same"}))
    refuse("org/labels", "do not name classes from 0 on, each differently")


def test_a_hub_that_cannot_be_reached(hub, refuse, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    refuse("org/tiny", "The Hub cannot be reached, and 'org/tiny' is not in the cache: .* checkpoints sst2, snli")


@pytest.mark.parametrize("is_drip", [False, True])
def test_a_hub_that_is_too_slow(hub, tiny, refuse, monkeypatch, is_drip):
    monkeypatch.setattr("attattr_core.hub.client.PATIENCE", 0.5)
    hub.add("org/slow", tiny, delay=0 if is_drip else 2, drip=is_drip)
    started = time.monotonic()
    refuse("org/slow", "The Hub cannot be reached, and 'org/slow' is not in the cache")
    assert time.monotonic() - started < 1.5


def test_too_many_requests(hub, tiny, refuse):
    hub.add("org/tiny", tiny, errors=[429])
    refuse("org/tiny", r"refuses more requests for now \(429; in 30 seconds it answers again\), and 'org/tiny' is not")
    assert len(hub.requests) == 1, "it is not asked again at once"


def test_an_error_of_the_server(hub, tiny, refuse):
    hub.add("org/tiny", tiny, errors=[500, 502, 503])
    refuse("org/tiny", r"The Hub has an error of its own \(503\), and 'org/tiny' is not in the cache")
    assert not hub.models["org/tiny"].errors


def test_an_error_that_passes_is_not_noticed(hub, tiny):
    hub.add("org/tiny", tiny, errors=[500])
    assert describe(parse_reference("org/tiny")).labels == ("no", "yes")


def test_a_token_that_the_hub_does_not_know(hub, tiny, refuse, monkeypatch):
    monkeypatch.setattr(
        "hub.server._Handler._answer_metadata",
        lambda handler, *_: handler._refuse(401, "", "Invalid credentials in Authorization header"),
    )
    refuse("org/tiny", "The Hub does not accept the token in HF_TOKEN")


@pytest.mark.parametrize(
    "metadata",
    [
        {"sha": "../../../../etc"},
        {"sha": None},
        {"id": "../../evil"},
        {"siblings": [{"rfilename": "config.json", "size": "many", "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "model.safetensors", "size": 5, "blobId": "../../evil"}]},
        {"siblings": 7},
    ],
)
def test_metadata_that_lies(hub, tiny, refuse, metadata):
    hub.add("org/liar", tiny, metadata=metadata)
    refuse("org/liar", "The Hub's answer about 'org/liar' cannot be understood")


def test_offline_mode(hub, tiny, refuse, monkeypatch):
    hub.add("org/tiny", tiny)
    sentence = "The Hub is not asked in offline mode, and 'org/tiny' is not in the cache: turn ATTATTR_OFFLINE .* sst2"
    message = refuse("org/tiny", sentence, limits=HubLimits(offline=True))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert refuse("org/tiny", sentence) == message
    assert not hub.requests


def test_only_curated_models(hub, tiny, refuse, monkeypatch):
    hub.add("org/tiny", tiny)
    listed = replace(read_curated()[0], id="org/listed")
    monkeypatch.setattr("attattr_core.hub.metadata.read_curated", lambda: (listed,))
    limits = HubLimits(curated_only=True)
    sentence = (
        "is not among the models that may be used here: choose one of the 1 listed ones, such as org/listed, or an emb"
    )
    refuse("org/tiny", f"'org/tiny' {sentence}", limits=limits)
    refuse(tiny, sentence, limits=limits)
    hub.add("org/listed", tiny)
    refuse("org/listed@refs/pr/1", f"'org/listed@refs/pr/1' {sentence}", limits=limits)
    assert describe(parse_reference("org/listed"), limits=limits).labels == ("no", "yes")
    assert describe(parse_reference("sst2"), limits=limits).labels == ("negative", "positive")


def test_a_tokenizer_larger_than_any_is_refused(hub, tiny, refuse, monkeypatch):
    hub.add("org/tiny", tiny)
    monkeypatch.setattr("attattr_core.hub.files._MAX_SMALL_BYTES", 1000)
    refuse("org/tiny", "tokenizer.json of 'org/tiny' has 0 MB: no tokenizer is like that")


def test_a_token_that_cannot_be_sent(hub, tiny, refuse, monkeypatch):
    hub.add("org/tiny", tiny)
    monkeypatch.setenv("HF_TOKEN", "hf_ümlaut")
    assert "mlaut" not in refuse("org/tiny", "HF_TOKEN has letters that no token has: copy it anew")


def test_a_commit_of_a_proposal_is_not_curated(hub, tiny, copy, refuse, monkeypatch):
    listed = replace(read_curated()[0], id="org/listed")
    monkeypatch.setattr("attattr_core.hub.metadata.read_curated", lambda: (listed,))
    limits = HubLimits(curated_only=True)
    hub.add("org/listed", tiny)
    model = hub.add("org/listed", copy(id2label={"0": "evil", "1": "worse"}), ref="refs/pr/1")
    refuse(f"org/listed@{model.refs['refs/pr/1']}", "'org/listed@.*' is not among the models", limits=limits)
    assert describe(parse_reference(f"org/listed@{model.refs['main']}"), limits=limits).labels == ("no", "yes")


def test_a_cache_that_cannot_be_written(hub, tiny, refuse, home, monkeypatch):
    hub.add("org/tiny", tiny)
    (home / "taken").write_text("a file where a folder is wanted")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "taken" / "cache"))
    refuse("org/tiny", "'org/tiny' cannot be kept in .*: make room there, or set HF_HOME")


def test_a_disk_that_is_full(hub, tiny, refuse, monkeypatch):
    hub.add("org/tiny", tiny)
    monkeypatch.setattr("attattr_core.hub.transfer.shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    refuse("org/tiny", r"'org/tiny' needs 0\.9 MB, but .* has 0\.0 MB free: make room there")


def test_sentences_hold_nothing_that_a_terminal_would_obey(hub, copy, refuse):
    folder = copy(architectures=["\x1b[31mEvil\nModel" * 50])
    hub.add("org/evil", folder)
    refuse("org/evil", "is not a sequence classifier")
    edit(folder / "config.json", architectures=["BertForSequenceClassification"], model_type="\x1b[2J" * 500)
    hub.add("org/evil", folder)
    with pytest.raises(UserError):
        describe(parse_reference("org/evil"))
