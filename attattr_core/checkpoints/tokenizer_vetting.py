"""What may be in a tokenizer's files, which are not trusted."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.checkpoints.catalog import read_json
from attattr_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TOKENIZER_CLASS = re.compile(r"[A-Za-z0-9]*Token(izer|izers)[A-Za-z0-9]*|PythonBackend|SentencePieceBackend")
_MOST_GROWTH = 256  # letters for one letter
_MOST_COPIES, _MOST_ADDED = 8, 1 << 13  # of a text, and letters that describe what is put around it


def vet_tokenizer(name: str, folder: Path) -> None:
    """Refuses a tokenizer's configuration that asks for code, for something else, or for files elsewhere.

    Raises:
        UserError: When it may not be loaded.
    """
    for file_name in ("tokenizer_config.json", "special_tokens_map.json"):  # transformers takes options from both
        if (folder / file_name).is_file():
            config = read_json(folder / file_name)
            _refuse_tokenizer_code(name, file_name, config)
            _refuse_other_files(name, file_name, config, folder)


def _refuse_tokenizer_code(name: str, file_name: str, config: dict[str, Any]) -> None:
    wanted = config.get("tokenizer_class")
    if wanted is not None and not (isinstance(wanted, str) and _TOKENIZER_CLASS.fullmatch(wanted)):
        raise UserError(f"{file_name} of {name!r} asks for {str(wanted)[:80]!r}, which is no tokenizer.")
    if config.get("auto_map") and not _is_known_tokenizer(wanted):
        raise UserError(
            f"The tokenizer of {name!r} needs code from its repository, which is never run here: choose a model whose "
            "tokenizer is part of transformers."
        )


def _refuse_other_files(name: str, file_name: str, config: dict[str, Any], folder: Path) -> None:
    for key in ("vocab", "merges", "tokenizer_object"):  # where these are texts, transformers reads files of that name
        if isinstance(config.get(key), str):
            raise UserError(f"{file_name} of {name!r} names a file as {key} ({config[key][:80]!r}): it is not loaded.")
    for value in _list_files(config):
        if _lies_outside(folder, value):
            raise UserError(f"{file_name} of {name!r} points outside of its folder ({value[:80]!r}): it is not loaded.")


def _is_known_tokenizer(wanted: str | None) -> bool:
    import transformers

    return wanted is not None and hasattr(transformers, wanted)


def _list_files(config: dict[str, Any]) -> list[str]:
    """Lists what a configuration gives as files; ``name_or_path`` and the like are notes that nothing opens."""
    values = [value for key, value in config.items() if "file" in key or "init_inputs" in key]
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [value for value in flat if isinstance(value, str)]


def _lies_outside(folder: Path, value: str) -> bool:
    """Whether a path leads out of a folder to something that is there; paths left from training elsewhere do not."""
    try:
        # libraries take a relative path from the folder, or from where the program was started
        places = [path.resolve() for path in (folder / value, Path(value)) if value and path.is_file()]
        return ".." in Path(value).parts or any(not path.is_relative_to(folder.resolve()) for path in places)
    except (OSError, ValueError):
        return True


def vet_backend(name: str, tokenizer: "PreTrainedTokenizerBase") -> None:
    """Refuses a tokenizer that makes no inputs, or a huge text or very many tokens of a short text.

    Raises:
        UserError: When it does.
    """
    if not isinstance(tokenizer.model_input_names, list) or "input_ids" not in tokenizer.model_input_names:
        raise UserError(f"The tokenizer of {name!r} makes no input_ids: choose another model.")
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return
    growth = 1
    for part in _list_parts(_read_state(backend.normalizer)):
        growth *= max([1, *(len(part[key]) for key in ("content", "prepend") if isinstance(part.get(key), str))])
    around = _read_state(backend.post_processor)
    n_copies = sum(isinstance(part.get("Sequence"), dict) for part in _list_parts(around))
    if growth > _MOST_GROWTH or n_copies > _MOST_COPIES or len(json.dumps(around)) > _MOST_ADDED:
        raise UserError(f"The tokenizer of {name!r} makes endless texts of short ones: choose another model.")


def _read_state(part: Any) -> Any:
    return None if part is None else json.loads(part.__getstate__())


def _list_parts(state: Any) -> list[dict[str, Any]]:
    """Lists an object and all objects inside it."""
    inside = list(state.values()) if isinstance(state, dict) else state if isinstance(state, list) else []
    return [state] * isinstance(state, dict) + [part for value in inside for part in _list_parts(value)]
