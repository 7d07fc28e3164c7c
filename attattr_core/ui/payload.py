"""What the browser gets: one compact JSON text a run, or one a layer while it is computed.

Maps that all together take at most 3 MiB are sent whole. Of others 1.5 MiB of their strongest entries are sent, and
the whole map of a head when it is selected. Packed, the maps of a message take at most 4 MiB, those of a long text 2
MiB; sent layer by layer and once more at the end, twice that. The map of a selected head of 512 tokens takes at most
1.4 MiB.
"""

import base64
import json
import math
import zlib
from typing import Any

import numpy as np

from attattr_core.attribution import Attribution

VERSION = 1
MAX_DENSE_BYTES = 3 << 20
MAX_SPARSE_BYTES = 3 << 19
_ENTRY_BYTES, _SPARSE_ENTRY_BYTES = 4, 8  # attention and attribution, with their place where it has to be told
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
        would pass `MAX_DENSE_BYTES`, as many entries of each head are sent as fit into `MAX_SPARSE_BYTES`: half of
        them those with the largest attention, the others those with the largest attribution.
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
        "precision": settings.precision,
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


def build_whole_map(attribution: Attribution, *, run: str, layer: int, head: int | None) -> str:
    """Builds the answer to a view that has only the strongest entries: the whole map of what is selected there.

    Args:
        attribution: The result so far.
        run: What names the run.
        layer: A finished layer.
        head: A head, or None for attention averaged and attribution summed over all of them.

    Returns:
        JSON; ``attention`` and ``attribution`` are those of one head.
    """
    attention, values = attribution.attention[layer], attribution.attribution[layer]
    if head is None:
        attention, values = attention.mean(0, keepdims=True), values.sum(0, keepdims=True)
    else:
        attention, values = attention[head : head + 1], values[head : head + 1]
    content = {"version": VERSION, "run": run, "layer": layer, "head": head}
    return json.dumps(content | {"attention": encode_maps(attention), "attribution": encode_maps(values)})


def is_whole(attribution: Attribution) -> bool:
    """Tells whether the maps of a result are sent whole."""
    return _ENTRY_BYTES * attribution.attention.size <= MAX_DENSE_BYTES


def _encode_layer(attribution: Attribution, layer: int) -> dict[str, Any]:
    maps = attribution.attention[layer], attribution.attribution[layer]
    places = None
    if not is_whole(attribution):
        n_maps = attribution.n_layers * attribution.n_heads
        places = _pick_places(*maps, MAX_SPARSE_BYTES // (_SPARSE_ENTRY_BYTES * n_maps))
    attention, values = (encode_maps(part, places) for part in maps)
    return {"attention": attention, "attribution": values} | encode_places(places)


def _pick_places(attention: np.ndarray, attribution: np.ndarray, n_kept: int) -> np.ndarray:
    """Picks n_kept places of each head, in order: half the most attended ones, then by attribution."""
    n_heads, n_half = len(attention), n_kept // 2
    strength = np.abs(attribution).reshape(n_heads, -1)
    attended = np.argpartition(-attention.reshape(n_heads, -1), n_half, axis=1)[:, :n_half]
    np.put_along_axis(strength, attended, np.inf, axis=1)
    return np.sort(np.argpartition(-strength, n_kept, axis=1)[:, :n_kept], axis=1)


def encode_places(places: np.ndarray | None) -> dict[str, Any]:
    """Encodes the places i·T + j of the entries of each map that are sent, (H, k); nothing where all are."""
    return {} if places is None else {"index": _pack(places.astype("<u4")), "k": places.shape[1]}


def encode_maps(maps: np.ndarray, places: np.ndarray | None = None) -> dict[str, Any]:
    """Encodes maps (H, T, T): all entries, or those at some places (H, k) of each."""
    flat = np.nan_to_num(maps.reshape(len(maps), -1))
    scale = np.abs(flat).max(axis=1)
    values = flat if places is None else np.take_along_axis(flat, places, axis=1)
    return {"scale": scale.tolist(), "data": _pack(_quantise(values, scale))}


def _quantise(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.rint(values / np.where(scale > 0, scale, 1)[:, None] * _LEVELS).astype("<i2")


def _pack(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), 3)).decode()


def _list_finished(values: np.ndarray, finished: list[int]) -> list[Any]:
    done = set(finished)
    return [_to_json(value.tolist()) if layer in done else None for layer, value in enumerate(values)]


def _to_json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
