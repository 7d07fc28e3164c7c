"""What decides how an encoder is fine-tuned."""

from dataclasses import dataclass

from attattr_core.errors import UserError

METHODS = ("full", "lora")
DTYPES = ("float16", "float32")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class FinetuneSettings:
    """Everything that decides what a run learns.

    Attributes:
        labels: Class names by index; None takes them from the data.
        epochs: Passes over the training data.
        learning_rate: Peak rate; it rises linearly during the warm-up and falls linearly to 0.
        batch_size: Examples a step.
        warmup: Fraction of the steps in the warm-up.
        weight_decay: AdamW's decay.
        max_length: Longest input in tokens; longer ones are cut.
        seed: Seed of the new head, the order of the examples and dropout.
        method: ``full`` trains all weights, ``lora`` an adapter on all linear layers, with the head and the pooler.
        lora_rank: Rank of the adapter.
        lora_alpha: Scale of the adapter; the update is multiplied by alpha / rank.
        min_words: Training examples whose (first) text has fewer words are left out.
        max_examples: Largest number of training examples, drawn with the seed; None takes all.
        vocabulary_size: Size to which the vocabulary is cut first; None leaves it.
        save_dtype: Type of the saved weights.
        precision: Type of the arithmetic in training; bfloat16 is fast where the processor has it.
    """

    labels: tuple[str, ...] | None = None
    epochs: float = 3.0
    learning_rate: float = 5e-5
    batch_size: int = 32
    warmup: float = 0.06
    weight_decay: float = 0.01
    max_length: int = 128
    seed: int = 0
    method: str = "full"
    lora_rank: int = 16
    lora_alpha: float = 32.0
    min_words: int = 0
    max_examples: int | None = None
    vocabulary_size: int | None = None
    save_dtype: str = "float32"
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Refuse settings that cannot train anything."""
        for name in ("epochs", "learning_rate", "batch_size", "lora_rank", "lora_alpha"):
            if not getattr(self, name) > 0:
                raise UserError(f"The setting {name} is {getattr(self, name)}; give a number above 0.")
        for name, allowed in (("method", METHODS), ("save_dtype", DTYPES), ("precision", PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise UserError(f"The setting {name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}.")
        if self.max_length < 8:
            raise UserError(f"The setting max_length is {self.max_length}; give at least 8 tokens.")
        if not 0 <= self.warmup < 1:
            raise UserError(f"The setting warmup is {self.warmup}; give a fraction from 0 to below 1.")
        if self.method == "lora" and self.vocabulary_size is not None:
            raise UserError("An adapter cannot cut its base's vocabulary; cut it with the method 'full' first.")
