"""How much memory a run takes, how many rows run at a time, and what happens when they do not fit after all.

A row is one example at one node. What autograd keeps of it in one layer is about the output of each linear layer, which
layer normalisations, attention and activations need to go back, and where attention does not go through transformers'
interface three maps of its heads. With T tokens, n layers of L that run, b bytes a number, w the widths of a layer's
linear layers and d the width of its states:

    row    = b · (n · (T · Σw + [eager] · 3 · H · T²) + 3 · T · max w)   the last term: the layer at work
    record = b · L · (H · T² + 2 · T · d)                                for each example: attention, values, output
    result = 2 · 4 · L · H · T²                                          for each example: both maps
    sums   = b · ((L + 7) · T · d + 3 · H · T²)                          for each example: gradients, maps at work
    whole  = 1.1 · (weights + packed weights (on a processor) + chunk · row + B · (record + result + sums))

The tenth is what an allocator keeps of freed blocks. Measured peaks of BERT are within a fifth of ``whole``
(`tests.benchmarks.memory`). Families whose feed-forward part is
gated keep half as much again, encoder-decoders up to three times as much; on a card rows may take half of what is free,
and `Chunks` halves what does not fit.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from attattr_core.engine.families import count_heads, find_family
from attattr_core.engine.precision import computing
from attattr_core.engine.products import find_product
from attattr_core.engine.replay import find_layers
from attattr_core.errors import UserError, is_memory_error

CPU_BYTES = 1 << 30
_ALLOCATOR = 1.1
CPU_TOKENS = 512  # of a chunk: its states fit a processor's cache, and larger ones gain nothing

_LOG = logging.getLogger(__name__)
_WIDTHS: WeakKeyDictionary[PreTrainedModel, list[int]] = WeakKeyDictionary()

_WIDTH_NAMES = ("out_features", "nf", "out_channels")  # of nn.Linear, transformers' Conv1D and nn.Conv1d
Result = TypeVar("Result")


def estimate_row(model: PreTrainedModel, n_tokens: int, n_layers: int) -> int:
    """Estimates the bytes that a row takes: ``row`` of this module's formulas.

    Args:
        model: The model.
        n_tokens: T.
        n_layers: Layers that run, the upper ones.
    """
    widths = _find_widths(model)
    maps = 0 if find_family(model.config.model_type).routed else 3 * count_heads(model.config)[1] * n_tokens**2
    return model.dtype.itemsize * (n_layers * (n_tokens * sum(widths) + maps) + 3 * n_tokens * max(widths))


def estimate_whole(model: PreTrainedModel, n_tokens: int, n_examples: int = 1, *, n_nodes: int = 32) -> int:
    """Estimates the largest number of bytes that attributing a batch takes: ``whole`` of this module's formulas.

    Args:
        model: The model, on the device where it runs.
        n_tokens: T.
        n_examples: Examples that run together.
        n_nodes: Nodes of an example that do, at most: the last level of a tolerance adds 32, the first two 4 each.
    """
    n_layers, n_heads = count_heads(model.config)
    size, hidden = model.dtype.itemsize, model.config.hidden_size
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
    linears = [module for layer in _find_layers(model) for module in layer.modules() if type(module) is nn.Linear]
    if model.device.type == "cpu" and find_product():
        weights += sum(linear.weight.numel() * size for linear in linears)
    maps = n_layers * n_heads * n_tokens**2
    record = size * n_examples * (maps + 2 * n_layers * n_tokens * hidden)
    n_rows = min(count_rows(model, n_tokens, n_layers), n_examples * n_nodes)
    chunk = n_rows * estimate_row(model, n_tokens, n_layers)
    sums = size * n_examples * ((n_layers + 7) * n_tokens * hidden + 3 * n_heads * n_tokens**2)
    return int(_ALLOCATOR * (weights + record + chunk + sums + 2 * 4 * n_examples * maps))


def count_rows(model: PreTrainedModel, n_tokens: int, n_layers: int) -> int:
    """Chooses how many rows run at a time.

    Args:
        model: The model, on the device where it runs.
        n_tokens: Tokens of a row.
        n_layers: Layers that run.

    Returns:
        At least 1; on a card what fills half of the memory that is free, or held by PyTorch and unused.
    """
    per_row = estimate_row(model, n_tokens, n_layers)
    if model.device.type == "cuda":
        unused = torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device)
        return max(1, (torch.cuda.mem_get_info(model.device)[0] + unused) // 2 // per_row)
    return max(1, min(CPU_BYTES // per_row, CPU_TOKENS // n_tokens))


class Chunks:
    """Runs rows in chunks; where they do not fit into the memory they are halved, for as long as this object lives.

    Attributes:
        n_halvings: How often that was so.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        """Takes the model whose rows run."""
        self.model = model
        self.n_halvings = 0

    def run(
        self,
        rows: Tensor,
        n_rows: int,
        n_tokens: int,
        function: Callable[[Tensor], Result],
        *,
        precision: str = "float32",
    ) -> Iterator[tuple[Tensor, Result]]:
        """Runs a function on chunks of rows.

        Args:
            rows: What tells rows, one for each entry of the first dimension.
            n_rows: How many may run at a time, as from `count_rows`.
            n_tokens: Tokens of a row, for what is said of one that does not fit.
            function: What to do with a chunk of them. When memory runs out it is called again with fewer rows.
            precision: In which it computes (see `attattr_core.engine.precision`).

        Yields:
            Each chunk with its result.

        Raises:
            UserError: When a single row does not fit.
        """
        n_rows = max(1, n_rows >> self.n_halvings)
        while len(rows):
            chunk = rows[:n_rows]
            with computing(precision, self.model.device):
                done = attempt(lambda chunk=chunk: function(chunk))
            if done:
                yield chunk, done[0]
                rows = rows[n_rows:]
                continue
            if len(chunk) == 1:
                raise UserError(describe_shortage(self.model, n_tokens))
            self._halve()
            n_rows = len(chunk) // 2

    def _halve(self) -> None:
        self.n_halvings += 1
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        _LOG.warning("The memory of %s is short: chunks are halved, and the work goes on.", self.model.device)

    @property
    def notice(self) -> str:
        """What to tell the user, or ``""``."""
        if not self.n_halvings:
            return ""
        return f"The memory of {self.model.device} was short, so smaller chunks ran: slower, with the same result."


def attempt(function: Callable[[], Result]) -> tuple[Result] | None:
    """Calls a function; None when the memory ran out, and then all that it held is free again."""
    try:
        return (function(),)
    except (RuntimeError, MemoryError) as error:
        if not is_memory_error(error):
            raise
    return None


@contextmanager
def telling_shortage(model: PreTrainedModel, n_tokens: int) -> Iterator[None]:
    """Raises UserError when the memory runs out of what cannot be cut into chunks."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_memory_error(error):
            raise UserError(describe_shortage(model, n_tokens)) from None  # which would hold what has to be freed
        raise


def describe_shortage(model: PreTrainedModel, n_tokens: int) -> str:
    """Says in one sentence that nothing smaller can be tried."""
    way_out = "a shorter text or a smaller model" if model.device.type == "cpu" else "a shorter text or the device cpu"
    return f"The memory of the device {str(model.device)!r} does not hold texts of {n_tokens} tokens: take {way_out}."


def _find_layers(model: PreTrainedModel) -> list[nn.Module]:
    return find_layers(model.base_model, find_family(model.config.model_type).layers)


def _find_widths(model: PreTrainedModel) -> list[int]:
    """The widths of the top layer's linear layers, by whatever name their class has it."""
    if model not in _WIDTHS:
        named = [[vars(module).get(name) for name in _WIDTH_NAMES] for module in _find_layers(model)[-1].modules()]
        _WIDTHS[model] = [width for names in named for width in names if width is not None]
    return _WIDTHS[model]
