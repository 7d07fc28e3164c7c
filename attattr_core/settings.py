"""How an attribution is to be computed: checked once, carried by every result."""

import operator
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

from attattr_core.engine.quadrature import RULES
from attattr_core.errors import UserError

BASELINES = ("zero", "uniform", "unk")
FUNCTIONS = ("probability", "logit", "log-probability")
PRECISIONS = ("float32", "tf32", "bfloat16")
DEFAULT_TOLERANCE = 0.01
MAX_STEPS = 2048

# A float32 pass through a 12-layer model is itself only known to some 5e-7 of F: a gap under this is rounding, and no
# number of nodes would close it.
GAP_FLOOR = 1e-6
# The same where products are rounded further (`python -m tests.benchmarks.precision`).
GAP_FLOORS = {"float32": GAP_FLOOR, "tf32": 1e-4, "bfloat16": 1e-3}


@dataclass(frozen=True)
class Settings:
    """The convention of an attribution.

    Attributes:
        function: F, what is explained: the target's ``"probability"`` (the paper), ``"logit"`` or
            ``"log-probability"``. Heads with a single logit and multi-label heads use the sigmoid; of a regression F is
            the value itself, and it has no log-probability.
        baseline: A′, where the path starts: ``"zero"`` (the paper), ``"uniform"`` attention, or ``"unk"``, the
            attention of the same input with every word replaced by the unknown token.
        rule: Quadrature rule, one of `attattr_core.engine.quadrature.RULES`; None stands for ``"gauss-lobatto"`` to a
            tolerance and for ``"gauss-legendre"`` with a fixed number of nodes.
        n_steps: A fixed number of nodes, or None to raise it layer by layer until the tolerance is met.
        tolerance: Largest |convergence delta| as a share of |F(A) − F(A′)|, when ``n_steps`` is None.
        precision: The arithmetic of the nodes' gradients: ``"float32"``, or what is faster on a card that has it,
            ``"tf32"`` or ``"bfloat16"`` (see `attattr_core.engine.precision`). The clean pass, F(A), F(A′) and the sums
            of gradients are float32 in any case, so that the convergence delta also tells what this costs. What is left
            of it by rounding no number of nodes would close: in the latter two nodes are raised no further once that
            changes the sum by no more than the largest gap.

    Raises:
        UserError: For a value that is not among those named, or not a number where one is wanted.
    """

    function: str = "probability"
    baseline: str = "zero"
    rule: str | None = None
    n_steps: int | None = None
    tolerance: float = DEFAULT_TOLERANCE
    precision: str = PRECISIONS[0]

    def __post_init__(self) -> None:
        if self.rule is None:
            object.__setattr__(self, "rule", "gauss-lobatto" if self.n_steps is None else "gauss-legendre")
        for name, value, choices in (
            ("function", self.function, FUNCTIONS),
            ("baseline", self.baseline, BASELINES),
            ("rule", self.rule, RULES),
            ("precision", self.precision, PRECISIONS),
        ):
            if value not in choices:
                raise UserError(f"Unknown {name} {repr(value)[:80]}: choose one of {', '.join(choices)}.")
        if self.n_steps is not None:
            object.__setattr__(self, "n_steps", _check_n_steps(self.n_steps))
        object.__setattr__(self, "tolerance", _check_tolerance(self.tolerance))

    def as_dict(self) -> dict[str, Any]:
        """The convention as files keep it: float32, which all were before there was a choice, is left out."""
        values = asdict(self)
        if self.precision == PRECISIONS[0]:
            del values["precision"]
        return values

    def compute_largest_gap(self, output: Any, baseline_output: Any) -> Any:
        """Computes the largest |convergence delta| that counts as complete, from F(A) and F(A′) of any array type.

        The share of the change has a floor, for a change of nothing has no share: what rounding leaves of F, 1e-6 in
        float32, 1e-4 in TF32 and 1e-3 in bfloat16 (see `GAP_FLOOR`).
        """
        share = self.tolerance * abs(output - baseline_output)
        floor = GAP_FLOORS[self.precision] * abs(output).clip(min=1)
        return (share + floor + abs(share - floor)) / 2  # the larger of the two, for NumPy and torch alike


def _check_n_steps(value: Any) -> int:
    is_whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not is_whole or not 1 <= operator.index(value) <= MAX_STEPS:
        raise UserError(f"The number of nodes is {repr(value)[:80]}: choose a whole number from 1 to {MAX_STEPS}.")
    return operator.index(value)


def _check_tolerance(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value <= 1:
        raise UserError(
            f"The tolerance is {repr(value)[:80]}: choose a share above 0 and at most 1, such as {DEFAULT_TOLERANCE}."
        )
    return float(value)
