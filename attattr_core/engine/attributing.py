"""Attribute a text: from a checkpoint and a sentence or pair to an `Attribution`."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from attattr_core.attribution import Attribution
from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.batches import bucket_examples, prepare_baselines, record_batch
from attattr_core.engine.encoding import Encoded, encode, encode_all, split_texts
from attattr_core.engine.integration import Integrator
from attattr_core.engine.outputs import (
    check_function,
    compute_output,
    compute_probabilities,
    find_output_kind,
    find_predictions,
)
from attattr_core.engine.replay import Record, instrumented
from attattr_core.errors import UserError
from attattr_core.settings import Settings

Text = str | tuple[str] | tuple[str, str | None]


def attribute(
    checkpoint: Checkpoint,
    text: str,
    text_pair: str | None = None,
    *,
    target: str | int = "predicted",
    settings: Settings | None = None,
) -> Attribution:
    """Attributes the attention of every layer and head (equation 5 of the paper).

    Args:
        checkpoint: The classifier, from `attattr_core.load_checkpoint`.
        text: The sentence, or the first of a pair.
        text_pair: The second of a pair.
        target: The label explained: ``"predicted"``, a label name or a class index.
        settings: The convention; the default is the paper's F and baseline with as many Gauss–Lobatto nodes as
            the tolerance takes.

    Returns:
        The attribution, with the convergence delta of each layer.

    Raises:
        UserError: For an empty text, an unknown target, or an F that the model's head does not have.
        UnsupportedModelError: When the family cannot be attributed.

    Differs from the authors' code: exact quadrature up to the tolerance in place of 64 left nodes, and no padding.
    ``Settings(rule="left", n_steps=64)`` gives their numbers.
    """
    return attribute_batch(checkpoint, [(text, text_pair)], targets=[target], settings=settings)[0]


def attribute_layers(
    checkpoint: Checkpoint,
    text: str,
    text_pair: str | None = None,
    *,
    target: str | int = "predicted",
    settings: Settings | None = None,
) -> Iterator[Attribution]:
    """Attributes layer by layer, from the top layer (the cheapest) down.

    Args and Raises are those of `attribute`.

    Yields:
        After the clean pass and then after each layer, the attribution so far; layers to come are NaN. Closing the
        generator stops the work and restores the model.
    """
    encoded = encode(checkpoint, text, text_pair)
    for (draft,) in _attribute_encoded(checkpoint, [encoded], [split_texts(text, text_pair)], [target], settings):
        yield draft.finish()


def attribute_batch(
    checkpoint: Checkpoint,
    examples: Sequence[Text],
    *,
    targets: str | int | Sequence[str | int] = "predicted",
    settings: Settings | None = None,
) -> list[Attribution]:
    """Attributes many examples; each gives what it gives alone.

    Args:
        checkpoint: The classifier.
        examples: Texts, or (text, text_pair).
        targets: One target for all, or one for each example.
        settings: The convention, as in `attribute`.

    Returns:
        One attribution an example, in their order. Examples of similar length run together.

    Raises:
        UserError: For an empty text, an unknown target, or a number of targets that is not that of the examples.
    """
    if isinstance(examples, str):
        raise UserError("The examples are one text: give a list of texts or of pairs.")
    texts = [split_texts(*((example,) if isinstance(example, str) else example)) for example in examples]
    wanted = [targets] * len(texts) if isinstance(targets, str | int | np.integer) else list(targets)
    if len(wanted) != len(texts):
        raise UserError(f"There are {len(texts)} examples but {len(wanted)} targets: give one for all or one for each.")
    encoded = list(encode_all(checkpoint, texts))
    results: dict[int, Attribution] = {}
    for bucket in bucket_examples(checkpoint, encoded):
        picked = [[values[index] for index in bucket] for values in (encoded, texts, wanted)]
        *_, drafts = _attribute_encoded(checkpoint, *picked, settings)
        results.update(zip(bucket, (draft.finish() for draft in drafts), strict=True))
    return [results[index] for index in range(len(texts))]


def _attribute_encoded(
    checkpoint: Checkpoint,
    encoded: list[Encoded],
    texts: list[tuple[str, ...]],
    wanted: list[str | int],
    settings: Settings | None,
) -> Iterator[list["_Draft"]]:
    """The engine: one padded batch, layer by layer from the top; it yields the same drafts as they fill."""
    settings = settings or Settings()
    model = checkpoint.model
    kind = find_output_kind(model.config)
    check_function(settings.function, kind)
    with instrumented(model):
        clean = record_batch(checkpoint, encoded)
        predicted = find_predictions(clean.logits, kind).tolist()
        targets = [checkpoint.find_target(target, guess) for target, guess in zip(wanted, predicted, strict=True)]
        target_ids = torch.tensor(targets, device=checkpoint.device)
        attentions = [layer.attention.cpu().numpy() for layer in clean.layers]
        drafts = [
            _Draft(checkpoint, clean, attentions, index, encoded[index], texts[index], targets[index], settings)
            for index in range(len(encoded))
        ]
        yield drafts
        baselines = prepare_baselines(checkpoint, clean, encoded, settings.baseline)
        integrator = Integrator(model, clean, target_ids, settings)
        for layer, integral in integrator.integrate(range(len(clean.layers)), baselines):
            found = {name: tensor.cpu().numpy() for name, tensor in vars(integral).items()}  # once for all examples
            for draft in drafts:
                draft.add(layer, found, integrator.chunks.notice)
            yield drafts


class _Draft:
    """The attribution of one example of a batch, as it fills."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        clean: Record,
        attentions: Sequence[np.ndarray],
        index: int,
        encoded: Encoded,
        texts: tuple[str, ...],
        target: int,
        settings: Settings,
    ) -> None:
        self.index, self.n_tokens = index, len(encoded.tokens)
        self.notice = _describe_cut(encoded)
        n_layers = len(clean.layers)
        logits = clean.logits[index : index + 1]
        kind = find_output_kind(checkpoint.model.config)
        attention = np.stack([self._crop(maps) for maps in attentions])
        output = compute_output(logits, torch.tensor([target], device=logits.device), settings.function, kind)
        self.fixed = {
            "attention": attention,
            "tokens": encoded.tokens,
            "sentences": encoded.sentences,
            "words": encoded.words,
            "word_labels": encoded.word_labels,
            "texts": texts,
            "labels": checkpoint.labels,
            "probabilities": compute_probabilities(logits, kind)[0].cpu().numpy(),
            "target": target,
            "output": float(output),
            "model": checkpoint.name,
            "revision": checkpoint.revision,
            "settings": settings,
            "output_kind": kind,
            "notice": self.notice,
        }
        self.growing = {
            "attribution": np.full_like(attention, np.nan),
            "baseline_output": np.full(n_layers, np.nan),
            "convergence_delta": np.full(n_layers, np.nan),
            "n_nodes": np.zeros(n_layers, dtype=np.int64),
        }

    def add(self, layer: int, integral: dict[str, np.ndarray], notice: str) -> None:
        self.fixed["notice"] = " ".join(filter(None, (self.notice, notice)))
        self.growing["attribution"][layer] = self._crop(integral["attribution"])
        for name in ("baseline_output", "convergence_delta", "n_nodes"):
            self.growing[name][layer] = integral[name][self.index]

    def finish(self) -> Attribution:
        return Attribution(**self.fixed, **{name: array.copy() for name, array in self.growing.items()})

    def _crop(self, maps: np.ndarray) -> np.ndarray:
        return maps[self.index, :, : self.n_tokens, : self.n_tokens]


def _describe_cut(encoded: Encoded) -> str:
    if not encoded.n_cut:
        return ""
    n_kept = len(encoded.tokens)
    return f"The text was cut to {n_kept} tokens, as many as are taken here; {encoded.n_cut} more are left out."
