"""Changes to what is served."""

import json
from pathlib import Path

from safetensors.torch import save_file


def edit(path: Path, **changes) -> None:
    """Changes a JSON file; None takes a key out."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def write_weights(path: Path, tensors: dict) -> None:
    """Writes safetensors as transformers likes them."""
    save_file(tensors, path, metadata={"format": "pt"})
