"""Downloads go by bytes, stop at once, resume, are shared by who asks, and end with what was announced or not."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hub.editing import edit
from hub.server import GOOD_TOKEN

from attattr_core import UserError, load_checkpoint
from attattr_core.hub import HubLimits, describe, download, find_snapshot, parse_reference

WEIGHTS = "model.safetensors"


def fetch(name: str, **options) -> Path:
    description = describe(parse_reference(name), **options)
    for _ in download(description):
        pass
    return find_snapshot(description)


def list_broken(home: Path) -> list[Path]:
    """What a snapshot shows that is not the file that was served."""
    return [path for path in (home / "cache").rglob("snapshots/*/*") if not path.exists()]


def test_only_what_is_needed_is_fetched_at_the_commit_that_was_pinned(hub, tiny, copy, home):
    model = hub.add("org/tiny", tiny)
    sha = model.refs["main"]
    description = describe(parse_reference("org/tiny"))
    assert (description.revision, description.name, description.model_type) == (sha, "org/tiny", "bert")
    assert description.url == f"{hub.url}/org/tiny/tree/{sha}"
    assert (description.labels, description.architecture) == (("no", "yes"), "BertForSequenceClassification")
    assert not (home / "cache").exists(), "asking leaves nothing"
    hub.add("org/tiny", copy(id2label={"0": "other", "1": "else"}))  # the branch moves on meanwhile
    for _ in download(description):
        pass
    folder = find_snapshot(description)
    assert folder.name == sha
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert all(path.read_bytes() == (tiny / path.name).read_bytes() for path in folder.iterdir())
    assert sum(path.stat().st_size for path in folder.iterdir()) == description.n_bytes
    assert describe(parse_reference("org/tiny")).labels == ("other", "else")


def test_progress_goes_by_bytes(hub, tiny):
    hub.add("org/tiny", tiny)
    description = describe(parse_reference("org/tiny"))
    steps = list(download(description))
    assert len(steps) > 5
    assert [step.n_bytes for step in steps] == sorted(step.n_bytes for step in steps)
    assert {step.n_total for step in steps} == {description.n_bytes}
    assert steps[-1].n_bytes == description.n_bytes
    n_requests = len(hub.requests)
    assert list(download(description))[-1] == steps[-1]
    assert len(hub.requests) == n_requests, "what is here is not fetched again"


def test_a_stopped_download_resumes(hub, tiny, home):
    hub.add("org/tiny", tiny, pause=0.02)
    description = describe(parse_reference("org/tiny"))
    steps = download(description)
    stopped = next(step for step in steps if step.n_bytes > description.n_bytes / 2)
    started = time.monotonic()
    steps.close()
    assert time.monotonic() - started < 0.5
    with pytest.raises(UserError, match="is not in the cache: download it first"):
        find_snapshot(description)
    hub.requests.clear()
    resumed = list(download(description))
    assert resumed[0].n_bytes < stopped.n_bytes
    assert any(step.n_bytes >= stopped.n_bytes - (1 << 17) for step in resumed[:8])
    ranges = [headers["range"] for _, path, headers in hub.requests if "range" in headers and path.startswith("/cdn")]
    assert len(ranges) == 1, "only the file that was cut off is asked for, from where it ends"
    assert (find_snapshot(description) / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()
    assert not list(home.rglob("*.incomplete"))


def test_an_exception_in_the_callback_stops_the_download(hub, tiny):
    class StoppedError(Exception):
        pass

    def stop(progress) -> None:
        if progress.n_bytes > progress.n_total / 2:
            raise StoppedError

    hub.add("org/tiny", tiny)
    with pytest.raises(StoppedError):
        load_checkpoint("org/tiny", device="cpu", on_progress=stop)
    assert load_checkpoint("org/tiny", device="cpu").labels == ("no", "yes")


def test_a_connection_that_breaks_is_taken_up_again(hub, tiny):
    size = (tiny / WEIGHTS).stat().st_size
    model = hub.add("org/tiny", tiny, cuts={WEIGHTS: [size // 3, 0, 1000, size // 3]})
    assert (fetch("org/tiny") / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()
    assert model.cuts == {WEIGHTS: []}


def test_a_connection_that_stays_broken_is_one_sentence(hub, tiny, refuse):
    model = hub.add("org/tiny", tiny, cuts={WEIGHTS: [200_000, *[0] * 10]})
    refuse(
        "org/tiny", r"The download of 'org/tiny' broke off after 0\.2 of 0\.\d MB of model.safetensors .*: try again"
    )
    model.cuts.clear()
    hub.requests.clear()
    assert load_checkpoint("org/tiny", device="cpu").labels == ("no", "yes")
    assert any(headers.get("range") == "bytes=200000-" for _, _, headers in hub.requests)


@pytest.mark.parametrize(
    ("file_name", "change", "sentence"),
    [
        (WEIGHTS, lambda content: content[:-8] + bytes(8), "arrived broken, its content is not what"),
        (WEIGHTS, lambda content: content[:-1000], "not as long as the Hub announced"),
        (WEIGHTS, lambda content: content + b"more", "arrived broken"),
        ("tokenizer.json", lambda content: content.replace(b"film", b"milf"), "arrived broken"),
        ("tokenizer.json", lambda content: content[:-10], "not as long as the Hub announced"),
    ],
)
def test_a_file_that_is_not_what_was_announced_is_never_used(hub, tiny, home, refuse, file_name, change, sentence):
    model = hub.add("org/tiny", tiny)
    model.contents[file_name] = change((tiny / file_name).read_bytes())
    refuse("org/tiny", f"{file_name} of 'org/tiny' .*{sentence}.*try again, it is fetched anew")
    assert not list(home.rglob(f"snapshots/*/{file_name}"))
    assert not list(home.rglob("*.incomplete"))
    model.contents.clear()
    assert load_checkpoint("org/tiny", device="cpu").revision == model.refs["main"]


def test_a_copy_that_was_damaged_later_is_fetched_again(hub, tiny, home):
    hub.add("org/tiny", tiny)
    path = (fetch("org/tiny") / WEIGHTS).resolve()
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes(8))
    assert (fetch("org/tiny") / WEIGHTS).read_bytes() == content
    path.write_bytes(content[:-8] + bytes(8))
    with pytest.raises(UserError, match=f"{WEIGHTS} of 'org/tiny' is broken in the cache: connect to the Hub"):
        load_checkpoint("org/tiny", limits=HubLimits(offline=True))


def test_two_who_ask_at_once_share_one_download(hub, tiny):
    hub.add("org/tiny", tiny, pause=0.02)
    barrier = threading.Barrier(4)

    def load(_) -> str:
        barrier.wait()
        return load_checkpoint("org/tiny", device="cpu").revision

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(load, range(4)))) == 1
    assert sum(WEIGHTS in path for path in hub.list_paths("/cdn/")) == 1


def test_an_empty_file_is_a_file(hub, copy):
    folder = copy()
    (folder / "merges.txt").touch()
    hub.add("org/tiny", folder)
    assert (fetch("org/tiny") / "merges.txt").read_bytes() == b""


def test_steps_may_be_taken_in_different_threads(hub, tiny):
    hub.add("org/tiny", tiny)
    steps = download(describe(parse_reference("org/tiny")))
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        pools = [first, second] * 1000
        while pools.pop().submit(next, steps, None).result() is not None:
            pass
    again = download(describe(parse_reference("org/tiny@main")))
    assert list(again)


def test_the_cache_is_the_one_of_huggingface_hub(hub, tiny):
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    folder = fetch("org/tiny") if hub.add("org/tiny", tiny) else None
    assert try_to_load_from_cache("org/tiny", WEIGHTS) == str(folder / WEIGHTS)
    report = scan_cache_dir()
    assert not report.warnings
    assert [repo.repo_id for repo in report.repos] == ["org/tiny"]


def test_the_copy_in_the_cache_serves_without_the_hub(hub, tiny, monkeypatch):
    model = hub.add("org/tiny", tiny)
    fetch("org/tiny")
    for errors, notice in (([500] * 3, "error of its own (500)"), ([429], "refuses more requests for now")):
        model.errors = errors
        description = describe(parse_reference("org/tiny"))
        assert notice in description.notice
        assert description.notice.endswith("the copy in the cache is used.")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in describe(parse_reference("org/tiny")).notice
    assert load_checkpoint("org/tiny", device="cpu").revision == model.refs["main"]
    assert load_checkpoint(f"org/tiny@{model.refs['main']}", limits=HubLimits(offline=True)).labels == ("no", "yes")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load_checkpoint("org/tiny", device="cpu").labels == ("no", "yes")


def test_half_of_a_model_in_the_cache_is_no_model(hub, tiny, refuse):
    hub.add("org/tiny", tiny, cuts={WEIGHTS: [1000, *[0] * 10]})
    refuse("org/tiny", "broke off")
    refuse("org/tiny", "'org/tiny' is not in the cache", limits=HubLimits(offline=True))


def test_a_renamed_model_is_followed_and_its_new_name_shown(hub, tiny):
    hub.add("new/name", tiny)
    hub.add("old/name", tiny, renamed_to="new/name")
    description = describe(parse_reference("old/name"))
    assert description.name == "new/name"
    assert description.notice == "'old/name' is called 'new/name' on the Hub now."
    assert load_checkpoint("old/name", device="cpu").name == "old/name"


def test_revisions_differ(hub, tiny, copy):
    hub.add("org/tiny", tiny)
    folder = copy()
    edit(folder / "config.json", id2label={"0": "down", "1": "up"}, label2id={"down": 0, "up": 1})
    model = hub.add("org/tiny", folder, ref="v2")
    for name, labels in (
        ("org/tiny", ("no", "yes")),
        ("org/tiny@v2", ("down", "up")),
        (f"org/tiny@{model.refs['main']}", ("no", "yes")),
        (f"{hub.url}/org/tiny/tree/v2", ("down", "up")),
    ):
        assert load_checkpoint(name, device="cpu").labels == labels
    assert load_checkpoint("org/tiny@v2", limits=HubLimits(offline=True)).labels == ("down", "up")


def test_the_token_goes_to_the_hub_and_to_nobody_else(hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    hub.add("org/gated", tiny, gated=True)
    fetch("org/gated")
    for _, path, headers in hub.requests:
        if path.startswith("/cdn/") and WEIGHTS in path:
            assert "authorization" not in headers
        elif not path.startswith("/cdn/"):
            assert headers["authorization"] == f"Bearer {GOOD_TOKEN}"
