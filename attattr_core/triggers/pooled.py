"""Mine triggers by pooling many examples: which tokens, at which places, are strong again and again.

Still from attribution alone, a candidate is an example's pattern, as in paper mode, or a token: each token counts with
the largest entry, over all layers and heads, in which it sends or receives, and keeps the place where it was strongest.
A part of the mined examples is held out from this: on it the strongest candidates, and then the best of them two by
two, are tried, and the list is in the order of what they did there, the best against each class in turn.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.triggers.attack import Attack
from attattr_core.triggers.insertion import DEFAULT_THRESHOLD, find_special_tokens, resolve_insertions
from attattr_core.triggers.patterns import SECOND_SHARE, SPECIAL_TOKENS, choose_insertions
from attattr_core.triggers.pieces import BLANK
from attattr_core.triggers.results import Trigger
from attattr_core.triggers.tallies import measure_success

MIN_EXAMPLES = 4  # two to try candidates on, two to take them from
HELD_OUT = 0.4  # share of the examples on which candidates are tried
N_STRONGEST = 8  # tokens kept of an example
N_PATTERNS = 40  # candidates of a predicted class that are patterns, the strongest
N_TOKENS = 30  # and that are tokens, by their largest value
N_FREQUENT = 10  # and by the sum of their values over examples
N_PAIRED = 6  # best candidates against a class that are joined two by two
MAX_TOKENS = 4  # of a trigger: a pattern has two pairs
N_KEPT = 30  # triggers kept for each class attacked
_LEAST_SECOND = SECOND_SHARE + 0.01  # of the first value: below a fifth the authors' rule would drop the second pair
_SLOTS = 50  # places that a sentence of a pattern has


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
    """What an example gives: the class predicted, its strongest tokens, and the tokens of its pattern."""

    target: int
    tokens: tuple[StrongToken, ...]
    pattern: tuple[StrongToken, ...] = ()


@dataclass(frozen=True)
class Trial:
    """Attack success rate of a candidate on each class of the held-out part; NaN where none was right before."""

    success: tuple[float, ...]


@dataclass(frozen=True)
class Candidate:
    """Tokens pooled over examples, with the class that they speak for."""

    target: int
    tokens: tuple[StrongToken, ...]


def write_record(record: StrongTokens | Trial) -> dict[str, Any]:
    """Writes what an example gave, or what a candidate did, for the state of a job."""
    if isinstance(record, Trial):
        return {"success": [None if np.isnan(value) else value for value in record.success]}
    strong, pattern = ([[*vars(one).values()] for one in part] for part in (record.tokens, record.pattern))
    return {"target": record.target, "strong": strong, "pattern": pattern}


def read_record(entry: Mapping[str, Any]) -> StrongTokens | Trial:
    """Reads what `write_record` wrote; raises ValueError, KeyError or TypeError when it is something else."""
    if "success" in entry:
        return Trial(tuple(float("nan") if value is None else float(value) for value in entry["success"]))
    strong, pattern = (
        tuple(
            StrongToken(str(name), int(sentence), float(at), float(value)) for name, sentence, at, value in entry[key]
        )
        for key in ("strong", "pattern")
    )
    return StrongTokens(int(entry["target"]), strong, pattern)


def pool_candidates(records: Sequence[StrongTokens], n_labels: int) -> list[Candidate]:
    """Pools what many examples give, that of each predicted class together.

    Returns:
        For each class the strongest patterns, the strongest tokens, each at the place where it was strongest, and those
        that are strong in many examples; none under the threshold of use, and none twice.
    """
    candidates: dict[tuple, Candidate] = {}
    for label in range(n_labels):
        own = [record for record in records if record.target == label]
        for tokens in [*_list_patterns(own), *_list_tokens(own)]:
            key = tuple((one.token, one.sentence, round(one.place, 1)) for one in tokens)
            candidates.setdefault(key, Candidate(label, tokens))
    return list(candidates.values())


def _list_patterns(records: Sequence[StrongTokens]) -> list[tuple[StrongToken, ...]]:
    found = [record.pattern for record in records if record.pattern and record.pattern[0].value >= DEFAULT_THRESHOLD]
    return sorted(found, key=lambda pattern: -pattern[0].value)[:N_PATTERNS]


def _list_tokens(records: Sequence[StrongTokens]) -> list[tuple[StrongToken, ...]]:
    pooled: dict[tuple[int, str], list[StrongToken]] = defaultdict(list)
    for record in records:
        for one in record.tokens:
            if one.value >= DEFAULT_THRESHOLD:
                pooled[one.sentence, one.token].append(one)
    found = [found for _, found in sorted(pooled.items())]
    best = [max(one, key=lambda token: token.value) for one in found]
    largest = np.array([one.value for one in best])
    sums = np.array([sum(token.value for token in one) for one in found])
    orders = np.argsort(-largest, kind="stable")[:N_TOKENS], np.argsort(-sums, kind="stable")[:N_FREQUENT]
    return [(best[number],) for number in dict.fromkeys(number for order in orders for number in order.tolist())]


def pair_candidates(tried: Sequence[tuple[Candidate, Trial]], n_labels: int) -> list[Candidate]:
    """Joins the candidates that did most to each class, two by two; none twice."""
    pairs: dict[tuple[StrongToken, ...], Candidate] = {}
    for label in range(n_labels):
        best = [tried[number][0] for number in _rank(tried, label)[:N_PAIRED]]
        for one, other in combinations(best, 2):
            names = {(token.token, token.sentence) for token in (*one.tokens, *other.tokens)}
            n_tokens = len(one.tokens) + len(other.tokens)
            if len(names) == n_tokens <= MAX_TOKENS:
                tokens = tuple(sorted((*one.tokens, *other.tokens), key=lambda token: -token.value))
                pairs.setdefault(tokens, Candidate(one.target, tokens))
    return list(pairs.values())


def try_candidate(attack: Attack, candidate: Candidate) -> Trial:
    """Inserts a candidate, as the pattern that it becomes, into the held-out part."""
    checkpoint = attack.checkpoint
    trigger = build_trigger(checkpoint, candidate, has_pairs=attack.has_pairs)
    insertions = choose_insertions(trigger, special=SPECIAL_TOKENS | find_special_tokens(checkpoint))
    tally, _ = attack.run(resolve_insertions(checkpoint, insertions))
    return Trial(tuple(measure_success(tally, len(checkpoint.labels)).accuracy.tolist()))


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
    pairs = _pair_positions(positions, has_first=bool(start))
    first_value, last_value = candidate.tokens[0].value, candidate.tokens[-1].value
    second_value = max(last_value, _LEAST_SECOND * first_value) if len(positions) > 1 else 0.0
    return Trigger(
        *[(tokens[receiver], tokens[sender]) for receiver, sender in pairs],
        *pairs,
        max_combined_attr=(first_value, second_value),
        target_label=candidate.target,
        golden_label=candidate.target,
        seg_pos=starts[0] + _SLOTS,
        tokens=tuple(tokens),
    )


def _pair_positions(positions: list[int], *, has_first: bool) -> list[tuple[int, int]]:
    """Two pairs that hold one to four positions, as receiver and sender; the first token receives where it can."""
    if len(positions) <= 2 and has_first:
        return [(0, positions[0]), (0, positions[-1])]
    rest = positions[2:] or positions[-1:]
    return [(positions[0], positions[min(1, len(positions) - 1)]), (rest[0], rest[-1])]


def _place(sentence: list[str], one: StrongToken) -> int:
    """Puts a token into the slot of its place, or the next free one."""
    slot = max(1, round(one.place * _SLOTS)) - 1
    while sentence[slot] != BLANK:
        slot = (slot + 1) % _SLOTS
    sentence[slot] = one.token
    return slot
