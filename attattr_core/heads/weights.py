"""Where each model family keeps the weights of its heads, as a table, and how far they can be cut.

A head is gone when nothing reads its context: when its columns of the layer's output projection are zero. That holds
in every family. To cut the weights as well, a model has to know that there are fewer heads. transformers 5 has no
pruning of heads any more (``prune_heads`` and ``pruned_heads`` of its version 4 are gone), and a configuration gives
one number of heads for all layers; where it does not give the heads' width beside it, fewer heads would be wider ones.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class HeadWeights:
    """Weights of one layer's heads, by their names relative to the layer.

    Attributes:
        output: Linear layer or weight that reads the heads' contexts side by side.
        parts: Linear layers that give the heads' queries, keys and values side by side; none where one layer gives all.
        counted: Whether a layer computes with as many heads as its weights are for, so that heads can be cut in memory,
            in each layer other ones and as many as one likes.
        configured: Whether a configuration says how wide heads are beside how many there are, so that a model with
            equally many heads less in every layer can be saved and loads like any other.
        divides: Whether such a configuration wants a number of heads that divides the hidden size.
    """

    output: str
    parts: tuple[str, ...] = ()
    counted: bool = False
    configured: bool = False
    divides: bool = False


def _name(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names)


_BERT = HeadWeights("attention.output.dense", _name("attention.self", "query", "key", "value"), counted=True)
_SEPARATE = _name("self_attn", "q_proj", "k_proj", "v_proj")
_EQUAL = HeadWeights("self_attn.o_proj", _SEPARATE, counted=True)  # the output projection is as wide as the model
_QWEN = replace(_EQUAL, configured=True)
_LLAMA = replace(_QWEN, divides=True)
_BART = HeadWeights("self_attn.out_proj", _SEPARATE, counted=True)
_XLM = HeadWeights("out_lin", ("q_lin", "k_lin", "v_lin"), counted=True)
_T5 = HeadWeights("layer.0.SelfAttention.o", _name("layer.0.SelfAttention", "q", "k", "v"))

WEIGHTS: dict[str, HeadWeights] = {
    **dict.fromkeys(("bert", "electra", "ernie", "layoutlm", "roberta", "roberta-prelayernorm", "xlm-roberta"), _BERT),
    **dict.fromkeys(("xlm-roberta-xl", "camembert", "data2vec-text", "esm", "mobilebert"), _BERT),
    **dict.fromkeys(("roformer", "megatron-bert", "rembert", "big_bird", "luke", "ibert"), _BERT),
    "distilbert": HeadWeights("attention.out_lin", _name("attention", "q_lin", "k_lin", "v_lin"), counted=True),
    "albert": HeadWeights("attention.dense", _name("attention", "query", "key", "value"), counted=True),
    "modernbert": HeadWeights("attn.Wo"),
    **dict.fromkeys(("nomic_bert", "gte"), _QWEN),
    "deberta": HeadWeights("attention.output.dense"),
    "deberta-v2": HeadWeights(
        "attention.output.dense", _name("attention.self", "query_proj", "key_proj", "value_proj"), counted=True
    ),
    "mpnet": HeadWeights("attention.attn.o", _name("attention.attn", "q", "k", "v")),
    "squeezebert": HeadWeights("post_attention.conv1d"),
    "xlm": _XLM,
    "flaubert": _XLM,
    "xlnet": HeadWeights("rel_attn.o"),
    "gpt2": HeadWeights("attn.c_proj"),
    "gpt_bigcode": HeadWeights("attn.c_proj"),
    "openai-gpt": HeadWeights("attn.c_proj"),
    "gpt_neox": HeadWeights("attention.dense"),
    "gpt_neo": HeadWeights(
        "attn.attention.out_proj", _name("attn.attention", "q_proj", "k_proj", "v_proj"), counted=True
    ),
    "gptj": HeadWeights("attn.out_proj", _name("attn", "q_proj", "k_proj", "v_proj"), counted=True),
    "bloom": HeadWeights("self_attention.dense"),
    "falcon": HeadWeights("self_attention.dense"),
    "mpt": HeadWeights("attn.out_proj"),
    "persimmon": HeadWeights("self_attn.dense"),
    "phi": replace(_QWEN, output="self_attn.dense"),
    "phi3": HeadWeights("self_attn.o_proj"),
    "modernbert-decoder": HeadWeights("attn.Wo", _name("attn", "q_proj", "k_proj", "v_proj"), counted=True),
    **dict.fromkeys(("llama", "arcee", "eurobert"), _LLAMA),
    **dict.fromkeys(("mistral", "ministral", "qwen2", "qwen3", "gemma", "olmo", "smollm3", "starcoder2"), _QWEN),
    **dict.fromkeys(("glm", "nemotron", "seed_oss"), _QWEN),
    **dict.fromkeys(("helium", "stablelm"), _EQUAL),
    **dict.fromkeys(("biogpt", "opt", "bart", "mbart", "plbart"), _BART),
    **dict.fromkeys(("t5", "mt5", "umt5"), _T5),
}
