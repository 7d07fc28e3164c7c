"""What each model family needs in order to be attributed, as a table.

A family is a ``model_type`` of transformers. It belongs here when every layer has one exact softmax attention whose
result can be replaced: because it goes through transformers' attention interface, so that one function sees every
layer's query, key and value, or because its eager code multiplies the probabilities with the values in one product
(see `attattr_core.engine.interception`).
"""

from dataclasses import dataclass, replace
from typing import Any

from attattr_core.errors import UnsupportedModelError

MAX_TOKENS = 512  # maps grow with the square: at this length those of a 12-layer model already fill 0.3 GB


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
        routed: Whether attention goes through transformers' attention interface; otherwise it is intercepted.
        batch_dim: The dimension of a layer's output that counts examples.
        chained: Whether a layer's output is all that the next one gets; where the model computes with it in between,
            each layer below a replay's has to return its own.
        binds_rows: Whether layers get more of each row than its states and its mask (a position bias with the mask in
            it, say), so that rows that start at one layer cannot join those that come from below.
    """

    layers: str
    reserved_positions: bool = False
    projections: tuple[str, ...] = ()
    sees_padding: bool = False
    reads_first_token: bool = False
    routed: bool = True
    batch_dim: int = 0
    chained: bool = True
    binds_rows: bool = False

    @property
    def joins(self) -> bool:
        """Whether rows of one pass may start at different layers."""
        return self.routed and self.chained and not self.binds_rows


_PROJECTIONS = ("attention.self.query", "attention.self.key", "attention.self.value")
_BERT = Family("encoder.layer", projections=_PROJECTIONS, reads_first_token=True)
_ROBERTA = Family("encoder.layer", reserved_positions=True, projections=_PROJECTIONS, reads_first_token=True)
_PRE_NORM = Family("encoder.layer", reserved_positions=True, projections=_PROJECTIONS)
_SEPARATE = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_LLAMA = Family("layers", projections=_SEPARATE)
_OWN_BERT = replace(_BERT, routed=False, reads_first_token=False)
_OWN_ROBERTA = replace(_ROBERTA, routed=False, reads_first_token=False)
_XLM = Family("attentions", projections=("q_lin", "k_lin", "v_lin"), routed=False, chained=False)

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
    # encoders whose attention is intercepted
    "deberta": Family("encoder.layer", projections=("attention.self.in_proj",), routed=False),
    "deberta-v2": Family(
        "encoder.layer",
        projections=("attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"),
        routed=False,
    ),
    "mpnet": Family(
        "encoder.layer",
        reserved_positions=True,
        projections=("attention.attn.q", "attention.attn.k", "attention.attn.v"),
        routed=False,
    ),
    "roformer": _OWN_BERT,
    "megatron-bert": _OWN_BERT,
    "rembert": _OWN_BERT,
    "big_bird": _OWN_BERT,
    "luke": _OWN_ROBERTA,
    "ibert": Family("encoder.layer", reserved_positions=True, routed=False),
    "squeezebert": Family("encoder.layers", routed=False),
    "xlm": _XLM,
    "flaubert": _XLM,
    "xlnet": Family("layer", routed=False, batch_dim=1),
    # decoders: causal masks, the head reads the last token
    "gpt2": Family("h", projections=("attn.c_attn",)),
    "gpt_bigcode": Family("h"),
    "gpt_neox": Family("layers"),
    "biogpt": Family("layers", projections=_SEPARATE),
    "modernbert-decoder": Family("layers", binds_rows=True),
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
    "arcee": _LLAMA,
    "glm": _LLAMA,
    "helium": _LLAMA,
    "ministral": _LLAMA,
    "nemotron": _LLAMA,
    "persimmon": Family("layers"),
    "seed_oss": _LLAMA,
    # decoders whose attention is intercepted
    "openai-gpt": Family("h", projections=("attn.c_attn",), routed=False),
    "gpt_neo": Family("h", routed=False),
    "gptj": Family("h", projections=("attn.q_proj", "attn.k_proj", "attn.v_proj"), routed=False),
    "bloom": Family("h", projections=("self_attention.query_key_value",), routed=False),
    "falcon": Family("h", routed=False),
    "mpt": Family("blocks", projections=("attn.Wqkv",), routed=False),
    # encoder-decoders: the encoder's self-attention
    "bart": Family("encoder.layers", projections=_SEPARATE),
    "mbart": Family("encoder.layers", projections=_SEPARATE),
    "plbart": Family("encoder.layers", projections=_SEPARATE),
    "t5": Family("encoder.block", binds_rows=True),
    "mt5": Family("encoder.block", binds_rows=True),
    "umt5": Family("encoder.block", binds_rows=True),
}

_NO_MATRIX = "its attention is approximate, banded or absent, so there is no attention matrix to attribute exactly"
_POOLED = "it shortens the sequence between its layers, so its attention is not between the tokens of the text"
_CONVOLUTIONS = "some of its heads are convolutions, which have no attention probabilities"
_DIFFERENCE = "it takes differences of two attention matrices, so its attention is not a probability"
_FLAT_PATH = (
    "it normalises the attention output before the residual, which makes the path from the baseline flat and the "
    "attribution meaningless"
)
_EXPERTS = "it routes tokens to experts, so its output jumps along the path and no attribution of it is complete"
_RECURRENT = "some of its layers are recurrent or attend linearly, and have no attention matrix"

REFUSED: dict[str, str] = {
    **dict.fromkeys(("longformer", "nystromformer", "yoso", "mra", "reformer", "fnet"), _NO_MATRIX),
    **dict.fromkeys(("canine", "funnel", "perceiver"), _POOLED),
    "convbert": _CONVOLUTIONS,
    "diffllama": _DIFFERENCE,
    **dict.fromkeys(("gemma2", "gemma3", "gemma3_text", "olmo2", "olmo3", "glm4", "exaone4"), _FLAT_PATH),
    **dict.fromkeys(("mixtral", "qwen2_moe", "qwen3_moe", "phimoe", "jetmoe", "hunyuan_v1_moe", "gpt_oss"), _EXPERTS),
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "mistral4"), _EXPERTS),
    **dict.fromkeys(("jamba", "zamba", "zamba2", "minimax", "qwen3_next", "qwen3_5", "qwen3_5_text"), _RECURRENT),
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


def count_heads(config: Any) -> tuple[int, int]:
    """Counts the layers that attend and the heads of each: as many as the engine sees in a pass.

    Args:
        config: The configuration of a model of a supported family.
    """
    n_inner = config.inner_group_num if config.model_type == "albert" else 1  # layers that a layer of ALBERT is made of
    return config.num_hidden_layers * n_inner, config.num_attention_heads


def check_config(config: Any) -> None:
    """Refuses a configuration of a supported family under which attention is not one exact matrix a layer.

    Args:
        config: The model's configuration; nothing of it is trusted.

    Raises:
        UnsupportedModelError: When that is so; the sentence says why.
    """
    reason, family = "", config.model_type
    if family == "big_bird" and config.attention_type != "original_full":
        n_full = (5 + 2 * config.num_random_blocks) * config.block_size
        if n_full < MAX_TOKENS:
            reason = f"its attention is block-sparse for texts of more than {n_full} tokens"
    elif family == "ibert" and config.quant_mode:
        reason = "it computes with integers (quant_mode), which have no gradients"
    elif family == "deberta" and getattr(config, "talking_head", False):
        reason = "its heads mix their attention after the softmax (talking_head)"
    elif family == "flaubert" and config.pre_norm:
        reason = "transformers itself cannot run it (pre_norm)"
    elif family == "xlnet" and config.attn_type != "bi":
        reason = "transformers itself cannot run it in batches (attn_type)"
    if reason:
        raise UnsupportedModelError(f"This {config.model_type!r} model cannot be attributed: {reason}.")
