"""Mine triggers by pooling many examples: which tokens, at which places, are strong again and again.

Still from attribution alone, the candidates are tokens: each counts with the largest entry, over all layers and
heads, in which it sends or receives. What the examples of one predicted class give is pooled by token and sentence; the
place is the median of the places. A part of the mined examples is held out from this: on it every candidate, and then
pairs of the best, are tried, and the list is in the order of what they did there, the best for each class in turn.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from attattr_core.checkpoints import Checkpoint
from attattr_core.triggers.attack import Attack
from attattr_core.triggers.entries import BLANK
from attattr_core.triggers.insertion import DEFAULT_THRESHOLD, resolve_insertions
from attattr_core.triggers.patterns import SECOND_SHARE
from attattr_core.triggers.results import Insertion, Trigger
from attattr_core.triggers.tallies import measure_success

HELD_OUT = 0.4  # share of the examples on which candidates are tried
N_STRONGEST = 8  # tokens kept of an example
N_TOKENS = 20  # candidates of a predicted class by their sum, and as many by their mean
N_PAIRED = 5  # best single tokens against a class that are paired with each other
N_KEPT = 30  # triggers kept for each class attacked
_SLOTS = 20  # places that a sentence of a pattern has


@dataclass(frozen=True)
class StrongToken:
    """A token of one example, by its largest attribution entry.

    Attributes:
        token: Its name in the vocabulary.
        sentence: 0 for sentence A, 1 for B.
        place: Share of the sentence up to it.
        value: The largest entry in which it sends or receives, in units of F.
    """

    token: str
    sentence: int
    place: float
    value: float


@dataclass(frozen=True)
class StrongTokens:
    """What an example gives: its strongest tokens and the class predicted."""

    target: int
    tokens: tuple[StrongToken, ...]


@dataclass(frozen=True)
class Trial:
    """Attack success rate of a candidate on each class of the held-out part; NaN where none was right before."""

    success: tuple[float, ...]


@dataclass(frozen=True)
class Candidate:
    """Tokens pooled over examples, with the class that they speak for; values are means over the examples."""

    target: int
    tokens: tuple[StrongToken, ...]


def write_record(record: StrongTokens | Trial) -> dict[str, Any]:
    """Writes what an example gave, or what a candidate did, for the state of a job."""
    if isinstance(record, Trial):
        return {"success": [None if np.isnan(value) else value for value in record.success]}
    rows = [[one.token, one.sentence, one.place, one.value] for one in record.tokens]
    return {"target": record.target, "strong": rows}


def read_record(entry: Mapping[str, Any]) -> StrongTokens | Trial:
    """Reads what `write_record` wrote; raises ValueError, KeyError or TypeError when it is something else."""
    if "success" in entry:
        return Trial(tuple(float("nan") if value is None else float(value) for value in entry["success"]))
    tokens = tuple(
        StrongToken(str(name), int(sentence), float(at), float(v)) for name, sentence, at, v in entry["strong"]
    )
    return StrongTokens(int(entry["target"]), tokens)


def pool_tokens(records: Sequence[StrongTokens], n_labels: int) -> list[Candidate]:
    """Pools the tokens of many examples into candidates of one token, those of each predicted class together.

    Returns:
        For each class the tokens of the largest sum over its examples and those of the largest mean; none whose mean
        is under the threshold of use.
    """
    pooled: dict[tuple[int, int, str], list[StrongToken]] = defaultdict(list)
    for record in records:
        strongest: dict[tuple[int, str], StrongToken] = {}
        for one in record.tokens:  # once an example, where a token is strongest
            key = one.sentence, one.token
            if key not in strongest or one.value > strongest[key].value:
                strongest[key] = one
        for (sentence, token), one in strongest.items():
            pooled[record.target, sentence, token].append(one)
    candidates = []
    for label in range(n_labels):
        own = [_average(key, found) for key, found in sorted(pooled.items()) if key[0] == label]
        counts = [len(found) for key, found in sorted(pooled.items()) if key[0] == label]
        means = np.array([one.tokens[0].value for one in own])
        orders = [np.argsort(-values, kind="stable")[:N_TOKENS] for values in (means * counts, means)]
        numbers = dict.fromkeys(int(number) for order in orders for number in order)
        candidates += [own[number] for number in numbers if means[number] >= DEFAULT_THRESHOLD]
    return candidates


def _average(key: tuple[int, int, str], found: Sequence[StrongToken]) -> Candidate:
    target, sentence, token = key
    place = float(np.median([one.place for one in found]))
    return Candidate(target, (StrongToken(token, sentence, place, float(np.mean([one.value for one in found]))),))


def pair_candidates(tried: Sequence[tuple[Candidate, Trial]], n_labels: int) -> list[Candidate]:
    """Pairs the single tokens that did most to each class."""
    pairs: dict[tuple, Candidate] = {}
    for label in range(n_labels):
        best = [tried[number][0] for number in _rank(tried, label)[:N_PAIRED]]
        for one, other in combinations(best, 2):
            first, second = sorted((one.tokens[0], other.tokens[0]), key=lambda token: -token.value)
            if second.value >= SECOND_SHARE * first.value and first.token != second.token:
                pairs.setdefault((first, second), Candidate(one.target, (first, second)))
    return list(pairs.values())


def try_candidate(attack: Attack, candidate: Candidate) -> Trial:
    """Inserts a candidate into the held-out part."""
    insertions = [Insertion(one.token, one.sentence, one.place) for one in candidate.tokens]
    tally, _ = attack.run(resolve_insertions(attack.checkpoint, insertions))
    return Trial(tuple(measure_success(tally, len(attack.checkpoint.labels)).accuracy.tolist()))


def sort_candidates(tried: Sequence[tuple[Candidate, Trial]], n_labels: int) -> list[Candidate]:
    """Sorts candidates by what they did: the best against each class, then the second best, and so on."""
    orders = [_rank(tried, label)[:N_KEPT] for label in range(n_labels)]
    ranked = [order[rank] for rank in range(N_KEPT) for order in orders if rank < len(order)]
    return [tried[number][0] for number in dict.fromkeys(ranked)]


def _rank(tried: Sequence[tuple[Candidate, Trial]], label: int) -> list[int]:
    """Numbers of the candidates that flipped something of a class, the best first."""
    rates = np.nan_to_num([trial.success[label] for _, trial in tried])
    return [int(number) for number in np.argsort(-rates, kind="stable") if rates[number] > 0]


def build_trigger(checkpoint: Checkpoint, candidate: Candidate, *, has_pairs: bool) -> Trigger:
    """Writes a candidate as a pattern: blanks, and its tokens at the places that the authors' rule reads."""
    tokenizer = checkpoint.tokenizer
    first, last = tokenizer.cls_token or tokenizer.bos_token, tokenizer.sep_token or tokenizer.eos_token
    sentences = [[BLANK] * _SLOTS for _ in range(1 + has_pairs)]
    slots = [_place(sentences[one.sentence], one) for one in candidate.tokens]
    start = int(first is not None)
    tokens = [first] * start
    starts = []
    for sentence in sentences:
        starts.append(len(tokens))
        tokens += [*sentence, *([last] if last is not None else [])]
    positions = [starts[one.sentence] + slot for one, slot in zip(candidate.tokens, slots, strict=True)]
    pairs = [(0 if start else position, position) for position in (positions * 2)[:2]]
    values = [one.value for one in candidate.tokens]
    return Trigger(
        *[(tokens[receiver], tokens[sender]) for receiver, sender in pairs],
        *pairs,
        max_combined_attr=(values[0], values[1] if len(values) > 1 else 0.0),
        target_label=candidate.target,
        golden_label=candidate.target,
        seg_pos=starts[0] + _SLOTS,
        tokens=tuple(tokens),
    )


def _place(sentence: list[str], one: StrongToken) -> int:
    """Puts a token into the slot of its place, or the next free one."""
    slot = max(1, round(one.place * _SLOTS)) - 1
    while sentence[slot] != BLANK:
        slot = (slot + 1) % _SLOTS
    sentence[slot] = one.token
    return slot
