"""What the fields of the tab of heads ask for."""

from dataclasses import dataclass
from typing import Any

from attattr_core.errors import UserError
from attattr_core.heads.results import DIRECTIONS, METHODS
from attattr_core.settings import Settings
from attattr_core.ui.long_work import read_count

#: What the page offers to rank heads by; random orders are always beside them.
OFFERED = tuple(method for method in METHODS if method != "random")
STEPS = {"steps of 10 %": False, "every head": True}
MOST_EXAMPLES, MOST_SEEDS = 5000, 50


@dataclass(frozen=True)
class Request:
    """What a visitor asks for, checked.

    Attributes:
        methods: What ranks the heads.
        n_ranking: Examples that rank them.
        n_pruning: Examples that each point of a curve is measured on.
        directions: Which heads go first.
        n_seeds: Random orders.
        every_head: Whether the curves have a point for every head.
        settings: The convention of attributions.
    """

    methods: tuple[str, ...]
    n_ranking: int
    n_pruning: int
    directions: tuple[str, ...]
    n_seeds: int
    every_head: bool
    settings: Settings


def read_request(
    methods: Any, n_ranking: Any, n_pruning: Any, directions: Any, n_seeds: Any, steps: Any, settings: Settings
) -> Request:
    """Checks what the fields hold.

    Raises:
        UserError: For a value that is out of range.
    """
    chosen = tuple(method for method in OFFERED if method in (methods or ()))
    if not chosen:
        raise UserError(f"No method is chosen: tick one or more of {', '.join(OFFERED)}.")
    ways = tuple(direction for direction in DIRECTIONS if direction in (directions or ()))
    if not ways:
        raise UserError("Neither order is chosen: tick which heads go first.")
    if steps not in STEPS:
        raise UserError(f"Unknown steps {str(steps)[:80]!r}: choose one of {', '.join(STEPS)}.")
    return Request(
        chosen,
        read_count("examples that rank the heads", n_ranking, 1, MOST_EXAMPLES),
        read_count("examples that the curves are measured on", n_pruning, 1, MOST_EXAMPLES),
        ways,
        read_count("random orders", n_seeds, 0, MOST_SEEDS),
        STEPS[steps],
        settings,
    )
