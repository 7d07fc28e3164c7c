"""What jobs over data sets need: floating-point operations for real numbers of tokens, without padding.

A multiplication and an addition are two operations, and only products of matrices count, as in
`tests.benchmarks.floor`. Of the top layer one row counts, for the first token is all that the classifier reads.

* An attribution (`count_attribution`): the clean pass; for each layer a replay forward and back for each node below
  α = 1, the context C = A V and the product Ḡ Vᵀ. Where the rule has the node α = 1, one way back through all layers
  gives it; where it does not have α = 0, F(A′) is one more replay forward.
* A pass with masked attention (`count_pass`): all layers forward.
* A pass without some heads: the layers from the first one on in which its mask differs from that of the pass before
  (`count_pruned`). What pruned heads compute is counted like that of the others.

Embeddings, pooler, classifier, softmax, norms, tokens and whatever is done with the results count nothing.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from transformers import PreTrainedModel

from attattr_core.engine.quadrature import plan_nodes
from attattr_core.settings import Settings
from tests.benchmarks.floor import count_layer, count_replay


def count_attribution(model: PreTrainedModel, n_tokens: int, n_nodes: Sequence[int], settings: Settings) -> int:
    """Counts what attributing all layers of one example needs.

    Args:
        model: A BERT classifier.
        n_tokens: T.
        n_nodes: Nodes of each layer, as an attribution states them.
        settings: The rule that they belong to.
    """
    plan = plan_nodes(settings.rule, settings.n_steps)
    total = count_pass(model, n_tokens, model.config.num_hidden_layers)
    if plan.has_end:
        forth, both = (count_replay(model, n_tokens, 1, 0, backward=backward) for backward in (False, True))
        total += both - forth
    for layer, n in enumerate(n_nodes):
        n_replays = plan.ends[plan.n_nodes.index(n)]
        total += n_replays * count_replay(model, n_tokens, 1, layer, backward=True)
        total += 0 if plan.has_start else count_replay(model, n_tokens, 1, layer, backward=False)
        total += 2 * 2 * n_tokens**2 * model.config.hidden_size
    return total


def count_pass(model: PreTrainedModel, n_tokens: int, n_layers: int) -> int:
    """Counts a forward pass of the upper n_layers."""
    below = (n_layers - 1) * count_layer(model, n_tokens, n_tokens, backward=False)
    return below + count_layer(model, n_tokens, 1, backward=False)


def count_pruned(model: PreTrainedModel, n_tokens: int, masks: np.ndarray) -> int:
    """Counts passes under masks of the heads, (M, L, H), in their order."""
    n_layers = model.config.num_hidden_layers
    firsts = [0, *(int((one != other).any(axis=1).argmax()) for one, other in pairwise(masks))]
    return sum(count_pass(model, n_tokens, n_layers - first) for first in firsts)
