"""What the fields of the triggers tab ask for."""

from dataclasses import dataclass

from attattr_core.datasets import ExampleSet, digest_example
from attattr_core.errors import UserError
from attattr_core.triggers.overlap import choose_examples
from attattr_core.ui.data_picker import DataChoice
from attattr_core.ui.long_work import read_count

LIMITS = {"examples to mine": 5000, "least number of tokens": 512, "triggers to evaluate": 500, "random draws": 20}


@dataclass(frozen=True)
class Wanted:
    """What the fields of the tab say.

    Attributes:
        mining: The data to mine.
        evaluation: The data to evaluate on.
        mode: The way of mining.
        n_examples: Examples to mine.
        min_tokens: Shorter ones are left out.
        n_triggers: Triggers to evaluate.
        n_seeds: Random draws beside each.
        at_random: Whether the examples to mine are chosen at random; else they are the first ones.
        only_best: Whether only the three best of each class get random draws.
        drops: Whether mined examples are left out of the evaluation, in place of refusing it.
    """

    mining: DataChoice
    evaluation: DataChoice
    mode: str
    n_examples: float
    min_tokens: float
    n_triggers: float
    n_seeds: float
    at_random: bool = False
    only_best: bool = False
    drops: bool = False

    @property
    def seed(self) -> int | None:
        """Where the choice of the examples begins."""
        return 0 if self.at_random else None

    def count(self) -> tuple[int, int, int, int]:
        """Reads the four numbers.

        Raises:
            UserError: For what is no whole number, or out of range.
        """
        values = (self.n_examples, self.min_tokens, self.n_triggers, self.n_seeds)
        least = (1, 0, 1, 0)
        return tuple(
            read_count(name, value, low, high)
            for (name, high), value, low in zip(LIMITS.items(), values, least, strict=True)
        )


def check_apart(mining: ExampleSet, evaluation: ExampleSet, n_examples: int, seed: int | None) -> None:
    """Refuses evaluation data that hold examples to be mined, before any work is done.

    Raises:
        UserError: When they do.
    """
    mined = {digest_example(mining.examples[index]) for index in choose_examples(len(mining), n_examples, seed)}
    n_both = sum(digest_example(example) in mined for example in evaluation.examples)
    if n_both:
        raise UserError(
            f"{n_both} of the {len(evaluation)} examples of {evaluation.file_name!r} would be mined too, and what is "
            "measured on them proves nothing: choose other data, or leave mined examples out (see 2)."
        )
