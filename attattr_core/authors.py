"""The files of the authors' scripts: attribution as JSON lines, tokens and predictions as JSON."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.settings import Settings
from attattr_core.storage import clean_text, fill_gaps, to_lists


def dump_authors_lines(maps: np.ndarray) -> str:
    """Writes maps, (L, H, T, T), as the authors' scripts do: one line a layer, each a nested list (H, T, T)."""
    return "".join(json.dumps(to_lists(layer.astype(np.float32))) + "\n" for layer in maps)


def dump_authors_tokens(attribution: Attribution) -> str:
    """Writes tokens and prediction as the authors' ``tokens_and_pred`` file does, for one example."""
    is_value = attribution.output_kind == "regression"
    entry = {
        "index": 0,
        "tokens": list(attribution.tokens),
        "pred": attribution.labels[attribution.prediction],
        "golden": "",
        "pred_logits": [[float(p) if is_value else math.log(max(float(p), 1e-38)) for p in attribution.probabilities]],
    }
    return json.dumps([entry], ensure_ascii=False, indent=2)


def load_authors(
    attribution_path: str | Path,
    tokens_path: str | Path,
    *,
    attention_path: str | Path | None = None,
    index: int = 0,
) -> Attribution:
    """Reads the authors' files of one example.

    Args:
        attribution_path: One line a layer, nested lists (H, T, T).
        tokens_path: Their ``tokens_and_pred`` file.
        attention_path: Like the first, with attention probabilities; without it the attention is NaN.
        index: Which entry of the tokens file the example is.

    Returns:
        The attribution. Their files do not hold F, so outputs and convergence deltas are NaN.

    Raises:
        UserError: When a file is missing or has another form.
    """
    maps = _read_authors_lines(attribution_path)
    attention = _read_authors_lines(attention_path) if attention_path else np.full_like(maps, np.nan)
    tokens, logits, predicted = _read_authors_entry(tokens_path, index)
    unknown = np.full(len(maps), np.nan)
    exponents = np.exp(logits - logits.max())
    sentences = _guess_sentences(tokens)
    words = _guess_words(tokens, sentences)
    return Attribution(
        attention=attention,
        attribution=maps,
        tokens=tokens,
        sentences=sentences,
        words=words,
        word_labels=_join_pieces(tokens, words),
        texts=(),
        labels=_name_labels(predicted, len(logits), int(logits.argmax())),
        probabilities=exponents / exponents.sum(),
        target=int(logits.argmax()),
        output=math.nan,
        baseline_output=unknown,
        convergence_delta=unknown,
        n_nodes=np.zeros(len(maps), np.int64),
        model="",
        revision="",
        settings=Settings(rule="left", n_steps=64),
    )


def _read_authors_lines(path: str | Path) -> np.ndarray:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return np.asarray([fill_gaps(json.loads(line)) for line in lines if line.strip()], np.float32)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {str(path)!r}.") from error
    except Exception as error:  # json and NumPy raise several kinds for another file
        raise UserError(f"{Path(path).name!r} does not hold one JSON list (heads, tokens, tokens) a line.") from error


def _read_authors_entry(path: str | Path, index: int) -> tuple[tuple[str, ...], np.ndarray, str]:
    """Tokens, logits and the predicted label."""
    try:
        entry = json.loads(Path(path).read_text(encoding="utf-8"))[index]
        tokens, logits = _check_list(entry["tokens"]), np.asarray(_check_list(entry["pred_logits"]), np.float64)
        if not np.isfinite(logits).all():
            raise ValueError("a logit is not a number")
        return tuple(map(clean_text, tokens)), logits.reshape(-1), clean_text(entry["pred"])
    except FileNotFoundError as error:
        raise UserError(f"There is no file {str(path)!r}.") from error
    except Exception as error:  # as above
        raise UserError(f"{Path(path).name!r} has no entry {index} with tokens, pred and pred_logits.") from error


def _check_list(value: Any) -> list:
    if not isinstance(value, list) or not value:
        raise ValueError("not a list, or an empty one")
    return value


def _guess_sentences(tokens: tuple[str, ...]) -> tuple[int, ...]:
    """Sentence A up to the first [SEP], B after it."""
    sentences, sentence = [], 0
    for token in tokens:
        sentences.append(-1 if token in ("[CLS]", "[SEP]", "[PAD]") else sentence)
        sentence = 1 if token == "[SEP]" else sentence
    return tuple(sentences)


def _guess_words(tokens: tuple[str, ...], sentences: tuple[int, ...]) -> tuple[int, ...]:
    words, n_words = [], 0
    for token, sentence in zip(tokens, sentences, strict=True):
        if sentence == -1:
            words.append(-1)
        elif token.startswith("##") and words and words[-1] >= 0:
            words.append(words[-1])
        else:
            words.append(n_words)
            n_words += 1
    return tuple(words)


def _join_pieces(tokens: tuple[str, ...], words: tuple[int, ...]) -> tuple[str, ...]:
    labels: dict[int, str] = {}
    for token, word in zip(tokens, words, strict=True):
        labels[word] = labels[word] + token.removeprefix("##") if word in labels else token
    return tuple(labels[word] for word in sorted(labels) if word >= 0)


def _name_labels(name: str, n_labels: int, predicted: int) -> tuple[str, ...]:
    return tuple(name if index == predicted else f"LABEL_{index}" for index in range(n_labels))
