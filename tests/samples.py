"""Results drawn at random, for tests that need no model."""

from dataclasses import replace

import numpy as np

from attattr_core import Attribution, Settings


def make_attribution(n_layers: int = 2, n_heads: int = 3, unfinished: int | None = None) -> Attribution:
    """A pair of five pieces and three special tokens, with awkward characters, drawn at random."""
    tokens = ("[CLS]", "play", "##ing", "<b>", "[SEP]", "🙂", "שלום", "[SEP]")
    generator = np.random.default_rng(0)
    attention = generator.dirichlet(np.ones(8), (n_layers, n_heads, 8)).astype(np.float32)
    attribution = (attention * generator.normal(size=attention.shape)).astype(np.float32)
    delta = generator.normal(size=n_layers) * 1e-4
    if unfinished is not None:
        attribution[unfinished], delta[unfinished] = np.nan, np.nan
    return Attribution(
        attention=attention,
        attribution=attribution,
        tokens=tokens,
        sentences=(-1, 0, 0, 0, -1, 1, 1, -1),
        words=(-1, 0, 0, 1, -1, 2, 3, -1),
        word_labels=("playing", "<b>", "🙂", "שלום"),
        texts=("playing <b>", "🙂 שלום"),
        labels=("no", "yes"),
        probabilities=np.array([0.25, 0.75]),
        target=1,
        output=0.75,
        baseline_output=np.where(np.isnan(delta), np.nan, 0.5),
        convergence_delta=delta,
        n_nodes=np.where(np.isnan(delta), 0, 4),
        model="sst2",
        revision="abc",
        settings=Settings(function="logit", n_steps=4),
        notice="cut",
    )


def make_long_attribution(n_tokens: int) -> Attribution:
    """One layer and head with uniform attention over one long sentence."""
    maps = np.full((1, 1, n_tokens, n_tokens), 1 / n_tokens, np.float32)
    words = tuple(range(n_tokens))
    return replace(
        make_attribution(n_layers=1),
        attention=maps,
        attribution=maps,
        tokens=tuple(map(str, words)),
        sentences=(0,) * n_tokens,
        words=words,
        word_labels=tuple(map(str, words)),
    )


def make_large_attribution(n_layers: int = 12, n_heads: int = 12, n_tokens: int = 512) -> Attribution:
    """A sentence of any length in a model of any shape, drawn at random, with attributions of both signs."""
    generator = np.random.default_rng(0)
    shape = (n_layers, n_heads, n_tokens, n_tokens)
    attention = np.exp(2 * generator.standard_normal(shape, np.float32))
    attention /= attention.sum(-1, keepdims=True)
    attribution = attention * generator.standard_normal(shape, np.float32)
    words = tuple(range(n_tokens - 2))
    return replace(
        make_attribution(),
        attention=attention,
        attribution=attribution,
        tokens=("[CLS]", *(f"word{word}" for word in words), "[SEP]"),
        sentences=(-1, *(0 for _ in words), -1),
        words=(-1, *words, -1),
        word_labels=tuple(f"word{word}" for word in words),
        texts=(" ".join(f"word{word}" for word in words),),
        baseline_output=np.full(n_layers, 0.5),
        convergence_delta=np.full(n_layers, 1e-4),
        n_nodes=np.full(n_layers, 4),
    )
