"""The floor: the time that the method's own floating-point operations take at the machine's matrix-product rate.

Per node and token, with D the hidden size, I the inner size and T tokens (a product with a weight of a × b elements
costs 2·a·b forward and as much again for the gradient of its input; weights get no gradients):

    the layer itself      output projection and feed-forward            2 · 2 · (D² + 2·D·I)
    each layer above      Q, K, V, output projection, feed-forward      2 · 2 · (4·D² + 2·D·I)
                          Q Kᵀ and A V                                  4·T·D
                          backward: ∂A, ∂V, ∂Q, ∂K                      8·T·D

A head that reads only the first token needs less of the top layer: K and V for all tokens, everything else for one row.
Once a layer: the forward pass F(A′), the context C = A V and the product Ḡ Vᵀ; once for all: the clean pass.
"""

import statistics
import time
from collections.abc import Callable, Iterable

import torch
from transformers import PreTrainedModel


def count_operations(
    model: PreTrainedModel,
    n_tokens: int,
    n_nodes: int,
    *,
    first_token_only: bool,
    layers: Iterable[int] | None = None,
) -> int:
    """Counts the fewest floating-point operations at n_nodes.

    Args:
        model: A BERT classifier.
        n_tokens: T.
        n_nodes: Nodes a layer.
        first_token_only: Whether to count the top layer for the one row that the head reads, or for all T.
        layers: The layers attributed; None for all of them and the clean pass that they share.

    Returns:
        Operations, a multiplication and an addition being two.
    """
    n_layers = model.config.num_hidden_layers
    n_rows = 1 if first_token_only else n_tokens
    total = 0 if layers is not None else n_layers * count_layer(model, n_tokens, n_tokens, backward=False)
    for layer in range(n_layers) if layers is None else layers:
        total += n_nodes * count_replay(model, n_tokens, n_rows, layer, backward=True)
        total += count_replay(model, n_tokens, n_rows, layer, backward=False)  # F(A′)
        total += 2 * 2 * n_tokens**2 * model.config.hidden_size  # C = A V and Ḡ Vᵀ
    return total


def count_replay(model: PreTrainedModel, n_tokens: int, n_top_rows: int, layer: int, *, backward: bool) -> int:
    """Counts one pass from a layer's context up, with or without the way back."""
    hidden, inner = model.config.hidden_size, model.config.intermediate_size
    n_above = model.config.num_hidden_layers - 1 - layer
    own = 2 * (hidden**2 + 2 * hidden * inner) * (2 if backward else 1)
    if not n_above:
        return n_top_rows * own
    between = (n_above - 1) * count_layer(model, n_tokens, n_tokens, backward=backward)
    return n_tokens * own + between + count_layer(model, n_tokens, n_top_rows, backward=backward)


def count_layer(model: PreTrainedModel, n_tokens: int, n_rows: int, *, backward: bool) -> int:
    """Counts a whole layer, of which n_rows of the n_tokens are wanted: keys and values are needed of all."""
    hidden, inner = model.config.hidden_size, model.config.intermediate_size
    linear = 2 * (n_tokens * 2 * hidden**2 + n_rows * (2 * hidden**2 + 2 * hidden * inner)) * (2 if backward else 1)
    return linear + 4 * n_rows * n_tokens * hidden * (3 if backward else 1)


def measure_rates(model: PreTrainedModel, n_tokens: int, n_nodes: int, *, n_runs: int = 5) -> dict[str, float]:
    """Measures float32 matrix products of the model's shapes, in operations a second; the best median of each library.

    ``"torch.mm"`` is what nn.Linear and autograd call (MKL in PyTorch's own x86 builds); ``"oneDNN"`` is the other
    library that PyTorch ships, which on some processors is twice as fast.
    """
    hidden, inner = model.config.hidden_size, model.config.intermediate_size
    rates: dict[str, float] = {}
    for n_rows in {n_tokens * n_nodes, min(512, n_tokens * n_nodes)}:
        for n_in, n_out in ((hidden, inner), (inner, hidden)):
            states, weight = torch.randn(n_rows, n_in), torch.randn(n_out, n_in)
            products: dict[str, Callable] = {"torch.mm": lambda a=states, b=weight: a @ b.t()}
            if torch.backends.mkldnn.is_available():
                packed = states.to_mkldnn(), weight.to_mkldnn()
                products["oneDNN"] = lambda pair=packed: torch.nn.functional.linear(*pair)
            for name, product in products.items():
                rate = 2 * n_rows * n_in * n_out / _time(product, n_runs)
                rates[name] = max(rate, rates.get(name, 0.0))
    return rates


def _time(product: Callable, n_runs: int) -> float:
    product()
    times = []
    with torch.no_grad():
        for _ in range(n_runs):
            start = time.perf_counter()
            product()
            times.append(time.perf_counter() - start)
    return statistics.median(times)
