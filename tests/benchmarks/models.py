"""The models that the benchmark runs, and the inputs of the wanted length."""

import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from attattr_core import Checkpoint, load_checkpoint
from attattr_core.errors import UserError

SIZES = ("base", "steep", "embedded")
# "base" has transformers' own initialisation. Its paths are nearly straight: the authors' 64 left nodes miss
# F(A) − F(A′) by about half a per cent. "steep" has weights twice as large: layers need 4 to 8 Gauss–Legendre nodes for
# 1 %, as on the embedded sentiment checkpoint, and 64 left nodes miss by 1 to 2 % in the median layer.
INITIALIZER_RANGE, STEEP_RANGE = 0.02, 0.04
_VOCABULARY = 12000
TEXT = """The film opens slowly, and for half an hour nothing much happens: two brothers drive along the coast, quarrel
    about a map, and stop for soup. But once the storm arrives the story finds its feet, the jokes land, and the
    last act is warm, clever and not at all sentimental. I would not call it a great picture, because the music is
    loud and one of the villains never makes sense; still, nobody in the room looked at the clock, and that is rare
    enough these days. The photography is lovely, the dialogue is sharp, and the ending, which could easily have
    been a disaster, is handled with such care that even the tired plot about the stolen boat is forgiven. Go and
    see it with somebody you like."""


def build_bert(
    *,
    n_layers: int = 12,
    n_heads: int = 12,
    hidden: int = 768,
    inner: int | None = None,
    scale: float = INITIALIZER_RANGE,
) -> PreTrainedModel:
    """A random BERT classifier with two labels, the same every time; scale is the standard deviation of its weights."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=_VOCABULARY,
        num_hidden_layers=n_layers,
        num_attention_heads=n_heads,
        hidden_size=hidden,
        intermediate_size=inner or 4 * hidden,
        initializer_range=scale,
        attn_implementation="eager",
    )
    return BertForSequenceClassification(config).eval()


def _load_embedded() -> Checkpoint | None:
    try:
        return load_checkpoint("sst2", device="cpu")
    except UserError:  # a repository without its weights
        return None


def prepare(size: str, n_tokens: int) -> tuple[PreTrainedModel, dict[str, Tensor], str]:
    """A model, its inputs of one example of n_tokens without padding, and what it is, in words."""
    checkpoint = _load_embedded() if size == "embedded" else None
    if checkpoint:
        encoded = checkpoint.tokenizer(TEXT, truncation=True, max_length=n_tokens, return_tensors="pt")
        assert encoded["input_ids"].shape[1] == n_tokens, "the text of the benchmark is too short for this length"
        return checkpoint.model, dict(encoded), "embedded checkpoint sst2"
    scale = STEEP_RANGE if size == "steep" else INITIALIZER_RANGE
    model = build_bert(scale=scale) if size != "embedded" else build_bert(n_layers=6, hidden=384)
    generator = torch.Generator().manual_seed(n_tokens)
    input_ids = torch.randint(5, _VOCABULARY, (1, n_tokens), generator=generator)
    words = "MiniLM size, 6 layers" if size == "embedded" else f"BERT-base size (weights N(0, {scale}²))"
    inputs = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
    return model, inputs, words if size != "embedded" else f"{words}, random weights"
