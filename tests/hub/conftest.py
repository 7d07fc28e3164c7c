"""A Hub of the tests' own for every test, an empty home, and tiny models to serve."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub.editing import edit
from hub.server import HubServer
from huggingface_hub import constants
from unit.random_models import save_tiny_classifier

from attattr_core import UserError, load_checkpoint


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A fine-tuned classifier of two layers, with files beside it that no model needs."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_classifier(folder, hidden=64, inner=512, n_positions=512)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle that nobody should fetch")
    (folder / "tf_model.h5").write_bytes(b"another framework")
    (folder / "modeling_custom.py").write_text("raise SystemExit('code from the repository was run')")
    (folder / "README.md").write_text("# A model card")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"onnx")
    return folder


@pytest.fixture
def copy(tiny, tmp_path) -> Callable[..., Path]:
    """Makes copies of the tiny classifier with changes to its configuration."""

    def make(name: str = "copy", *, without: tuple[str, ...] = (), **changes) -> Path:
        folder = tmp_path / "served" / name
        shutil.copytree(tiny, folder)
        for file in without:
            (folder / file).unlink()
        edit(folder / "config.json", **changes)
        return folder

    return make


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty home that is the working directory too; the cache is the only thing that may appear in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "ATTATTR_MAX_MODEL_BYTES", "ATTATTR_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    return home


@pytest.fixture
def hub(home, monkeypatch) -> Iterator[HubServer]:
    """The server, with huggingface_hub's client turned to it; pauses before new tries are short."""
    server = HubServer()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr("attattr_core.hub.client._PAUSE", 0.01)
    monkeypatch.setattr("attattr_core.hub.transfer._PAUSE", 0.01)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def refuse(home, tmp_path) -> Callable[..., str]:
    """Loads what has to be refused: checks the sentence, and that nothing is left outside of the cache."""

    def run(name: object, sentence: str, **options) -> str:
        before = list_files(tmp_path)
        with pytest.raises(UserError, match=sentence) as caught:
            load_checkpoint(name, device="cpu", **options)
        assert list_files(tmp_path) == before
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 600
        assert message.endswith((".", "?"))
        return message

    return run


def list_files(folder: Path) -> dict[str, bytes]:
    """Everything under a folder but the cache."""
    cache = folder / "home" / "cache"
    paths = (path for path in sorted(folder.rglob("*")) if path != cache and cache not in path.parents)
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in paths}
