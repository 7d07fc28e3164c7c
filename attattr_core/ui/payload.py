"""What the browser gets: one compact JSON text a run, or one a layer while it is computed."""

import base64
import json
import math
import zlib
from typing import Any

import numpy as np

from attattr_core.attribution import Attribution

VERSION = 1
MAX_DENSE_BYTES = 24 << 20
_SPARSE_ENTRIES_PER_TOKEN = 8
_LEVELS = 32767


def build_payload(
    attribution: Attribution,
    *,
    run: str,
    status: str,
    seconds: float,
    device: str = "",
    layers: list[int] | None = None,
) -> str:
    """Builds the value of the heatmap view.

    Args:
        attribution: The result so far.
        run: What names this run; messages of one run share it.
        status: ``"running"``, ``"done"``, ``"stopped"``, ``"opened"`` (from a file) or ``"example"`` (precomputed).
        seconds: Time taken so far.
        device: Where it was computed, in words.
        layers: Layers whose maps are sent; all finished ones when None.

    Returns:
        JSON. Maps are int16 shares of the largest entry of each head, deflated, in base64; when all maps together
        would pass 24 MiB, only the strongest entries of each head are sent, eight a token.
    """
    finished = np.flatnonzero(attribution.finished).tolist()
    settings = attribution.settings
    content = {
        "version": VERSION,
        "run": run,
        "status": status,
        "n_layers": attribution.n_layers,
        "n_heads": attribution.n_heads,
        "tokens": attribution.tokens,
        "sentences": attribution.sentences,
        "words": attribution.words,
        "word_labels": attribution.word_labels,
        "labels": attribution.labels,
        "probabilities": attribution.probabilities.tolist(),
        "prediction": attribution.prediction,
        "target": attribution.target,
        "function": attribution.unit,
        "output_kind": attribution.output_kind,
        "baseline": settings.baseline,
        "rule": settings.rule,
        "tolerance": settings.tolerance if settings.n_steps is None else None,
        "output": _to_json(attribution.output),
        "baseline_output": _list_finished(attribution.baseline_output, finished),
        "delta": _list_finished(attribution.convergence_delta, finished),
        "nodes": _list_finished(attribution.n_nodes, finished),
        "converged": _list_finished(attribution.converged, finished),
        "head_max": _list_finished(attribution.head_maximum, finished),
        "seconds": seconds,
        "model": attribution.model,
        "revision": attribution.revision,
        "device": device,
        "notice": attribution.notice,
        "maps": {layer: _encode_layer(attribution, layer) for layer in (finished if layers is None else layers)},
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")  # no markup, even inert


def _encode_layer(attribution: Attribution, layer: int) -> dict[str, Any]:
    n_layers, n_heads, n_tokens, _ = attribution.attention.shape
    n_kept = None
    if 4 * n_layers * n_heads * n_tokens**2 > MAX_DENSE_BYTES:
        n_kept = _SPARSE_ENTRIES_PER_TOKEN * n_tokens
    return {
        "attention": encode_maps(attribution.attention[layer], n_kept),
        "attribution": encode_maps(attribution.attribution[layer], n_kept),
    }


def encode_maps(maps: np.ndarray, n_kept: int | None = None) -> dict[str, Any]:
    """Encodes maps (H, T, T): all entries, or the n_kept largest of each head with their places i·T + j."""
    flat = np.nan_to_num(maps.reshape(len(maps), -1))
    scale = np.abs(flat).max(axis=1)
    if n_kept is None:
        return {"scale": scale.tolist(), "data": _pack(_quantise(flat, scale))}
    places = np.sort(np.argpartition(-np.abs(flat), n_kept, axis=1)[:, :n_kept], axis=1).astype("<u4")
    values = _quantise(np.take_along_axis(flat, places, axis=1), scale)
    return {"scale": scale.tolist(), "index": _pack(places), "data": _pack(values), "k": n_kept}


def _quantise(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.rint(values / np.where(scale > 0, scale, 1)[:, None] * _LEVELS).astype("<i2")


def _pack(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), 3)).decode()


def _list_finished(values: np.ndarray, finished: list[int]) -> list[Any]:
    done = set(finished)
    return [_to_json(value.tolist()) if layer in done else None for layer, value in enumerate(values)]


def _to_json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
