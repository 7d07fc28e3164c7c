"""What each model family needs in order to be attributed, as a table.

A family is a ``model_type`` of transformers. It belongs here when its attention goes through transformers' attention
interface, so that one function sees every layer's query, key and value and its result is used.
"""

from dataclasses import dataclass

from attattr_core.errors import UnsupportedModelError


@dataclass(frozen=True)
class Family:
    """Where a model family keeps its layers.

    Attributes:
        layers: Path from the base model to the list of attributed layers; ``*`` stands for every member of a list.
        reserved_positions: Whether positions start at ``pad_token_id + 1``, so that fewer tokens fit than
            ``max_position_embeddings`` says.
        projections: Linear layers, relative to one layer, that only feed the attention, the query's first: they need
            not run when the layer's context is given.
        sees_padding: Whether padding changes what a real token gives in spite of its mask, so that only examples of
            equal length may run together.
        reads_first_token: Whether the classifier reads the top layer's first token only and the layer normalises after
            its residuals, so that the top layer may run for that token alone.
    """

    layers: str
    reserved_positions: bool = False
    projections: tuple[str, ...] = ()
    sees_padding: bool = False
    reads_first_token: bool = False


_PROJECTIONS = ("attention.self.query", "attention.self.key", "attention.self.value")
_BERT = Family("encoder.layer", projections=_PROJECTIONS, reads_first_token=True)
_ROBERTA = Family("encoder.layer", reserved_positions=True, projections=_PROJECTIONS, reads_first_token=True)
_PRE_NORM = Family("encoder.layer", reserved_positions=True, projections=_PROJECTIONS)
_SEPARATE = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_LLAMA = Family("layers", projections=_SEPARATE)

FAMILIES: dict[str, Family] = {
    # encoders
    "bert": _BERT,
    "electra": _BERT,
    "ernie": _BERT,
    "layoutlm": _BERT,
    "roberta": _ROBERTA,
    "roberta-prelayernorm": _PRE_NORM,
    "xlm-roberta": _ROBERTA,
    "xlm-roberta-xl": _PRE_NORM,
    "camembert": _ROBERTA,
    "data2vec-text": _ROBERTA,
    "esm": _PRE_NORM,
    "mobilebert": Family("encoder.layer", sees_padding=True),  # it embeds every token with its neighbours
    "distilbert": Family(
        "transformer.layer",
        projections=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        reads_first_token=True,
    ),
    "albert": Family(
        "encoder.albert_layer_groups.*.albert_layers",
        projections=("attention.query", "attention.key", "attention.value"),
        reads_first_token=True,
    ),
    "modernbert": Family("layers", projections=("attn.Wqkv",)),
    "nomic_bert": Family("layers"),
    "gte": Family("layers"),
    "eurobert": _LLAMA,
    # decoders: causal masks, the head reads the last token
    "gpt2": Family("h"),
    "gpt_bigcode": Family("h"),
    "gpt_neox": Family("layers"),
    "biogpt": Family("layers", projections=_SEPARATE),
    "modernbert-decoder": Family("layers"),
    "opt": Family("decoder.layers", projections=_SEPARATE),
    "phi": _LLAMA,
    "phi3": Family("layers"),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "olmo": _LLAMA,
    "smollm3": _LLAMA,
    "stablelm": _LLAMA,
    "starcoder2": _LLAMA,
    # encoder-decoders: the encoder's self-attention
    "bart": Family("encoder.layers", projections=_SEPARATE),
    "mbart": Family("encoder.layers", projections=_SEPARATE),
    "t5": Family("encoder.block"),
    "mt5": Family("encoder.block"),
    "umt5": Family("encoder.block"),
}

_NO_MATRIX = "its attention is approximate, banded or absent, so there is no attention matrix to attribute exactly"
_POOLED = "it shortens the sequence between its layers, so its attention is not between the tokens of the text"
_CONVOLUTIONS = "some of its heads are convolutions, which have no attention probabilities"
_DIFFERENCE = "it takes differences of two attention matrices, so its attention is not a probability"
_FLAT_PATH = (
    "it normalises the attention output before the residual, which makes the path from the baseline flat and the "
    "attribution meaningless"
)
_NOT_ROUTED = "its attention does not go through transformers' attention interface, so its probabilities cannot be set"

REFUSED: dict[str, str] = {
    **dict.fromkeys(("longformer", "nystromformer", "yoso", "mra", "reformer", "fnet"), _NO_MATRIX),
    **dict.fromkeys(("canine", "funnel", "perceiver"), _POOLED),
    "convbert": _CONVOLUTIONS,
    "diffllama": _DIFFERENCE,
    **dict.fromkeys(("gemma2", "gemma3", "gemma3_text", "olmo2", "olmo3", "glm4", "exaone4"), _FLAT_PATH),
    **dict.fromkeys(("deberta", "deberta-v2", "mpnet", "xlnet", "xlm", "flaubert", "roformer"), _NOT_ROUTED),
    **dict.fromkeys(("megatron-bert", "rembert", "big_bird", "squeezebert", "ibert", "luke"), _NOT_ROUTED),
    **dict.fromkeys(("openai-gpt", "gpt_neo", "gptj", "bloom", "falcon", "mpt"), _NOT_ROUTED),
}


def find_family(model_type: str) -> Family:
    """Looks a model family up.

    Args:
        model_type: The ``model_type`` of the model's configuration.

    Returns:
        The family's entry.

    Raises:
        UnsupportedModelError: When the family is not supported; the sentence says why.
    """
    if model_type in FAMILIES:
        return FAMILIES[model_type]
    reason = REFUSED.get(model_type, "it is not among the families that were checked")
    raise UnsupportedModelError(
        f"Models of the family {model_type!r} cannot be attributed: {reason}; choose one such as "
        f"{', '.join(list(FAMILIES)[:5])} (README.md lists all {len(FAMILIES)})."
    )
