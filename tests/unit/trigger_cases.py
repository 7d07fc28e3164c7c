"""Small data sets, tokenizers of other families, and insertions written short."""

from collections.abc import Sequence

from random_models import build_checkpoint, build_model
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from attattr_core import Checkpoint
from attattr_core.datasets import Example, ExampleSet
from attattr_core.triggers.results import Insertion, Trigger

SENTENCES = (
    "the film is not bad .",
    "the film is not very good .",
    "the film is dull and bad",
    "a very good film .",
    "warm music and good men",
    "nobody sleeps in the park .",
    "two men are playing in a park",
    "bad music",
)
PAIRS = (
    ("two men are playing music", "nobody is on stage"),
    ("two men are playing in a park", "nobody sleeps ."),
    ("the film is good", "the film is bad"),
    ("every one is on stage", "two men sleep"),
)


def build_set(
    texts: Sequence[str | tuple[str, str | None]], *, n_labels: int = 3, name: str = "tiny.tsv"
) -> ExampleSet:
    """Examples of each class in turn."""
    pairs = [(text, None) if isinstance(text, str) else text for text in texts]
    examples = tuple(Example(*pair, index % n_labels) for index, pair in enumerate(pairs))
    return ExampleSet(examples, tuple(f"LABEL_{label}" for label in range(n_labels)), (), name, "", 0)


def build_byte_level(*, family: str = "roberta", pairs_need_two: bool = True, specials: bool = True) -> Checkpoint:
    """A random classifier with a byte-level tokenizer: <s> A </s></s> B </s>, or nothing special, as decoders have."""
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [*map(chr, range(ord("!"), ord("~") + 1)), "Ġ"]
    merges = [("Ġ", "f"), ("Ġf", "i"), ("Ġfi", "l"), ("Ġfil", "m"), ("Ġ", "b"), ("Ġb", "a"), ("Ġba", "d"), ("i", "s")]
    pieces = dict.fromkeys([*names, *letters, *("".join(pair) for pair in merges)])
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if specials:
        between = "</s> </s>" if pairs_need_two else "</s>"
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair=f"<s> $A {between} $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    backend.add_special_tokens([AddedToken(name, special=True) for name in names])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=48,
        model_input_names=["input_ids", "attention_mask"],
        pad_token="<pad>",
        unk_token="<unk>",
        **({"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"} if specials else {}),
    )
    size = {"vocab_size": len(vocabulary), "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    return Checkpoint.from_model(build_model(family, **size), tokenizer, name=family)


def build_trigger(
    tokens: str, top1: tuple[int, int], top2: tuple[int, int], values: tuple[float, float] = (0.5, 0.4)
) -> Trigger:
    """A pattern of an example written with spaces between its tokens, [SEP] behind sentence A."""
    names = tuple(tokens.split())
    patterns = [tuple(names[position] for position in pair) for pair in (top1, top2)]
    return Trigger(*patterns, top1, top2, values, 0, 1, names.index("[SEP]"), names, 2, 3)


def at(token: str, place: float, sentence: int = 0) -> Insertion:
    return Insertion(token, sentence, place)


__all__ = ["PAIRS", "SENTENCES", "at", "build_byte_level", "build_checkpoint", "build_set", "build_trigger"]
