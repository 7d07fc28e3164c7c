"""Tiny random sequence classifiers of every family, with a tokenizer built on the spot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch.overrides import TorchFunctionMode
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from attattr_core import Checkpoint

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIALS))
WORDS = (
    *(
        "the",
        "a",
        "film",
        "is",
        "not",
        "very",
        "good",
        "bad",
        "dull",
        "warm",
        "and",
        "two",
        "men",
        "are",
        "play",
        "##ing",
    ),
    *("##ed", "sleep", "music", "in", "park", "nobody", "every", "##one", "on", "stage"),
    *".,!?'-<>/${}",
)
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCABULARY = (*SPECIALS, *WORDS, *LETTERS, *("##" + letter for letter in LETTERS))
WITH_TOKEN_TYPES = {
    *("bert", "electra", "ernie", "layoutlm", "mobilebert", "albert", "nomic_bert"),
    *("roformer", "megatron-bert", "rembert", "big_bird", "squeezebert", "deberta", "deberta-v2", "xlnet"),
}
MAX_LENGTH = 64


def build_tokenizer(*, token_types: bool = True, pad_token: bool = True) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer that writes [CLS] A [SEP] or [CLS] A [SEP] B [SEP]."""
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(VOCABULARY))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", *["token_type_ids"] * token_types, "attention_mask"],
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        **({"pad_token": "[PAD]"} if pad_token else {}),
    )


_COMMON = {"vocab_size": len(set(VOCABULARY)), "pad_token_id": PAD, "bos_token_id": CLS, "eos_token_id": SEP}
_BERT_LIKE = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": MAX_LENGTH + 2,
}
_SHARED_KEYS = {**_BERT_LIKE, "num_key_value_heads": 2}
_GROUPED = {**_SHARED_KEYS, "head_dim": 8}
_MODERN = {
    **_BERT_LIKE,
    "local_attention": 6,
    "global_attn_every_n_layers": 2,
    "cls_token_id": CLS,
    "sep_token_id": SEP,
}
_GPT2 = {"n_embd": 24, "n_layer": 3, "n_head": 4, "n_positions": MAX_LENGTH}
_BART = {
    "d_model": 24,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": MAX_LENGTH,
}
_T5 = {
    "d_model": 24,
    "d_kv": 8,
    "d_ff": 40,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "decoder_start_token_id": PAD,
}

_DEBERTA = {
    **_BERT_LIKE,
    "relative_attention": True,
    "max_relative_positions": 8,
    "pos_att_type": ["c2p", "p2c"],
    "type_vocab_size": 2,
    "pooler_hidden_size": 24,
}
_XLM = {
    "emb_dim": 24,
    "n_layers": 3,
    "n_heads": 4,
    "max_position_embeddings": MAX_LENGTH,
    "unk_index": UNK,
    "mask_index": MASK,
    "mask_token_id": MASK,
}
_WITHOUT_POSITIONS = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4}

# Where a family's configuration has other names, or more to say, than BERT's.
OPTIONS: dict[str, dict] = {
    "electra": {**_BERT_LIKE, "embedding_size": 16, "num_attention_heads": 3},
    "esm": {**_BERT_LIKE, "mask_token_id": MASK, "token_dropout": True, "position_embedding_type": "rotary"},
    "mobilebert": {
        **_BERT_LIKE,
        "embedding_size": 16,
        "intra_bottleneck_size": 12,
        "num_attention_heads": 3,
        "num_feedforward_networks": 2,
    },
    "distilbert": {
        "dim": 24,
        "hidden_dim": 40,
        "n_layers": 4,
        "n_heads": 3,
        "max_position_embeddings": MAX_LENGTH,
    },
    "albert": {
        **_BERT_LIKE,
        "embedding_size": 16,
        "num_hidden_groups": 2,
        "num_hidden_layers": 4,
        "inner_group_num": 1,
    },
    **dict.fromkeys(("modernbert", "modernbert-decoder"), _MODERN),
    "eurobert": {**_GROUPED, "mask_token_id": MASK},
    **dict.fromkeys(("gpt2", "gpt_bigcode"), _GPT2),
    "biogpt": {**_BERT_LIKE, "scale_embedding": False},
    "helium": {**_BERT_LIKE, "num_key_value_heads": 4, "head_dim": 6},
    "persimmon": {**_BERT_LIKE, "num_attention_heads": 3},
    "gpt_neox": {**_BERT_LIKE, "num_attention_heads": 3},
    "opt": {
        **{k: v for k, v in _BERT_LIKE.items() if k != "intermediate_size"},
        "ffn_dim": 40,
        "word_embed_proj_dim": 16,
    },
    "phi": {**_BERT_LIKE, "num_attention_heads": 3, "partial_rotary_factor": 0.5},
    **dict.fromkeys(("llama", "qwen3", "gemma", "glm", "ministral", "seed_oss"), _GROUPED),
    **dict.fromkeys(("gemma2", "gemma3_text", "olmo2", "olmo3", "glm4", "exaone4"), _GROUPED),
    **dict.fromkeys(("phi3", "qwen2", "olmo", "smollm3", "stablelm", "starcoder2", "arcee", "nemotron"), _SHARED_KEYS),
    "mistral": {**_GROUPED, "sliding_window": 5},
    **dict.fromkeys(("bart", "mbart", "plbart"), _BART),
    **dict.fromkeys(("t5", "mt5", "umt5"), _T5),
    "deberta": _DEBERTA,
    "deberta-v2": {**_DEBERTA, "position_biased_input": False, "share_att_key": True, "position_buckets": 4},
    "mpnet": {**_BERT_LIKE, "pad_token_id": 1},  # its code counts positions from 2 whatever this says
    "roformer": {**_BERT_LIKE, "embedding_size": 16},
    "rembert": {**_BERT_LIKE, "input_embedding_size": 16},
    "big_bird": {**_BERT_LIKE, "attention_type": "original_full"},
    "luke": {**_BERT_LIKE, "entity_vocab_size": 5, "entity_emb_size": 8},
    "squeezebert": {**_BERT_LIKE, "embedding_size": 24},
    **dict.fromkeys(("xlm", "flaubert"), _XLM),
    "xlnet": {"d_model": 24, "n_layer": 3, "n_head": 4, "d_inner": 40},
    "openai-gpt": _GPT2,
    "gpt_neo": {
        **{name: value for name, value in _BERT_LIKE.items() if not name.startswith("num")},
        "num_layers": 3,
        "num_heads": 4,
        "attention_types": [[["global", "local", "global"], 1]],
        "window_size": 5,
    },
    "gptj": {**_GPT2, "rotary_dim": 4},
    "bloom": _WITHOUT_POSITIONS,
    "falcon": {**_WITHOUT_POSITIONS, "max_position_embeddings": MAX_LENGTH},
    "mpt": {"d_model": 24, "n_layers": 3, "n_heads": 4, "max_seq_len": MAX_LENGTH},
}

# Without normalisation (mobilebert) or without scaling of the attention logits (T5) states would be too large; with a
# linear layer among its embeddings roformer's attention would be too sharp.
SIZES = {"mobilebert": 0.12, "roformer": 0.12, "t5": 0.12, "mt5": 0.12, "umt5": 0.12}


def build_model(
    family: str, *, n_labels: int = 3, dtype: torch.dtype = torch.float64, **options: object
) -> PreTrainedModel:
    """A random classifier under transformers' own eager attention; the same every time."""
    config = AutoConfig.for_model(
        family, **{**_COMMON, "num_labels": n_labels, **OPTIONS.get(family, _BERT_LIKE), **options}
    )
    torch.manual_seed(crc32(family.encode()))
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Large enough that attention is far from uniform and matters for the output, yet the path is smooth.
            is_embedding = "embed" in name or "shared" in name
            size = 0.1 if parameter.ndim == 1 else 1.0 if is_embedding else SIZES.get(family, 0.25)
            parameter += torch.randn_like(parameter) * size
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0  # as training leaves it; mobilebert mixes neighbours' embeddings
    return model.to(dtype).eval()


def build_checkpoint(
    family: str = "bert", *, n_labels: int = 3, dtype: torch.dtype = torch.float64, pad_token: bool = True
) -> Checkpoint:
    """A random classifier with its tokenizer."""
    tokenizer = build_tokenizer(token_types=family in WITH_TOKEN_TYPES, pad_token=pad_token)
    options = {} if pad_token else {"pad_token_id": None}
    return Checkpoint.from_model(build_model(family, n_labels=n_labels, dtype=dtype, **options), tokenizer, name=family)


class _InDouble(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        args = tuple(torch.float64 if value is torch.float32 else value for value in args)
        if kwargs.get("dtype") is torch.float32:
            kwargs["dtype"] = torch.float64
        return func(*args, **kwargs)


def save_tiny_classifier(folder: Path, *, hidden: int, inner: int, n_positions: int) -> None:
    """Saves a random BERT of two layers with the labels no and yes, and its tokenizer."""
    tokenizer = build_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=inner,
        max_position_embeddings=n_positions,
        id2label={0: "no", 1: "yes"},
        label2id={"no": 0, "yes": 1},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def in_double() -> Iterator[None]:
    """Keeps float64 models in float64 where transformers goes through float32 (softmax, RMS norms)."""
    with _InDouble():
        yield
