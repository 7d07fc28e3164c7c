"""What the browser gets of words in one's own text: both predictions, and both attributions over the same words.

Of both maps at most 3 MiB are sent, packed 4 MiB: where they take more, only the entries that are strongest in either
of the two. Heads are summed where the whole maps of all of them would take more than 12 MiB.
"""

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.triggers.difference import AttributionDifference, Span, compare_attributions
from attattr_core.ui.payload import encode_maps, encode_places
from attattr_core.ui.triggers_payload import dump

VERSION = 1
MAX_SEPARATE_BYTES = 12 << 20  # of both maps as the browser has to hold them; with more, heads are summed
MAX_BYTES = 3 << 20  # of what is sent of them
_ENTRY_BYTES, _SPARSE_ENTRY_BYTES = 4, 8  # one of each map, with its place where it has to be told
WHICH = ("clean", "triggered")


@dataclass(frozen=True, eq=False)
class Trial:
    """A text as it is and with words in it.

    Attributes:
        run: What names this comparison.
        spans: Where in the texts with the words these stand.
        status: ``"running"``, ``"done"``, ``"stopped"`` or ``"put away"``.
        clean: The attribution of the text as it is, so far.
        triggered: With the words, so far.
        seconds: Time taken by each.
        device: Where it was computed, in words.
        key: That of the checkpoint's choice.
    """

    spans: tuple[tuple[Span, ...], ...]
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    status: str = "running"
    clean: Attribution | None = None
    triggered: Attribution | None = None
    seconds: tuple[float, float] = (0.0, 0.0)
    device: str = ""
    key: str = ""

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What of it is large (`attattr_core.ui.visitors`)."""
        results = [result for result in (self.clean, self.triggered) if result is not None]
        return tuple(array for result in results for array in (result.attention, result.attribution))

    def put_away(self) -> "Trial":
        """What stays where room is needed; a comparison that goes on is left alone."""
        return self if self.status == "running" else replace(self, clean=None, triggered=None, status="put away")

    def compare(self) -> AttributionDifference:
        """Lines both attributions up."""
        return compare_attributions(self.clean, self.triggered, self.spans)

    def build_message(self) -> str:
        """Builds the value of the view; the maps come once the work has ended."""
        if self.clean is None:
            return dump(version=VERSION, run=self.run, status=self.status)
        parts = [part for part in (self.clean, self.triggered) if part is not None]
        content = {
            "labels": self.clean.labels,
            "before": self.clean.probabilities,
            "after": None if self.triggered is None else self.triggered.probabilities,
            "prediction_before": self.clean.prediction,
            "prediction_after": None if self.triggered is None else self.triggered.prediction,
            "target": self.clean.target,
            "unit": self.clean.unit,
            "output_kind": self.clean.output_kind,
            "n_done": int(sum(part.finished.sum() for part in parts)),
            "n_total": 2 * self.clean.n_layers,
            "notice": self.triggered.notice if self.triggered is not None else "",
        }
        has_maps = self.status != "running" and len(parts) == 2
        maps = _describe_maps(self.compare()) if has_maps else {}
        return dump(version=VERSION, run=self.run, status=self.status, **content, **maps)


def _describe_maps(difference: AttributionDifference) -> dict[str, Any]:
    clean, triggered = difference.clean, difference.triggered
    finished = np.isfinite(clean).all((1, 2, 3)) & np.isfinite(triggered).all((1, 2, 3))
    is_summed = _ENTRY_BYTES * clean.size > MAX_SEPARATE_BYTES
    if is_summed:
        clean, triggered = clean.sum(1, keepdims=True), triggered.sum(1, keepdims=True)
    n_layers, n_heads = clean.shape[:2]
    change = np.abs(triggered - clean).max((2, 3))
    if not finished.any():
        return {}
    return {
        "tokens": difference.tokens,
        "sentences": difference.sentences,
        "inserted": [int(value) for value in difference.inserted],
        "n_layers": n_layers,
        "n_heads": n_heads,
        "is_summed": is_summed,
        "is_cut": _ENTRY_BYTES * clean.size > MAX_BYTES,
        "head_change": [change[layer] if finished[layer] else None for layer in range(n_layers)],
        "maps": [
            {"heads": n_heads, **_encode_pair(clean[layer], triggered[layer], MAX_BYTES // n_layers)}
            if finished[layer]
            else None
            for layer in range(n_layers)
        ],
    }


def _encode_pair(clean: np.ndarray, triggered: np.ndarray, n_bytes: int) -> dict[str, Any]:
    """Encodes a layer of both, within a number of bytes before it is packed."""
    places = None
    if _ENTRY_BYTES * clean.size > n_bytes:
        strength = np.maximum(np.abs(clean), np.abs(triggered)).reshape(len(clean), -1)
        n_kept = n_bytes // (_SPARSE_ENTRY_BYTES * len(clean))
        places = np.sort(np.argpartition(-strength, n_kept, axis=1)[:, :n_kept], axis=1)
    return {"clean": encode_maps(clean, places), "triggered": encode_maps(triggered, places)} | encode_places(places)
