"""The result of an attribution: what was explained, how, and how complete it is."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from attattr_core.errors import UserError
from attattr_core.settings import Settings

OutputKind = Literal["softmax", "sigmoid", "multi-label", "regression"]
_LARGEST = 1e30  # of all numbers: beyond it sums of them, and scales of pictures, are no numbers in float32


@dataclass(frozen=True, eq=False)
class Attribution:
    """Self-attention attribution of one example: L layers, H heads, T tokens.

    Layers that were not computed (after a stop) are NaN in everything that is per layer.

    Attributes:
        attention: Attention probabilities, float32 (L, H, T, T), row = query (receives), column = key (sends).
        attribution: Attribution of the same entries, in units of F.
        tokens: The T tokens.
        sentences: 0 for tokens of sentence A, 1 for B, -1 for special tokens.
        words: Number of the word that a token is a piece of, -1 for special tokens.
        word_labels: The words as they stand in the text.
        texts: Sentence A, and B of a pair.
        labels: Label names by class index.
        probabilities: Predicted probability of each label, (n_labels,); its predicted value for a regression.
        target: Class index explained.
        output: F(A).
        baseline_output: F(A′) for each layer, (L,).
        convergence_delta: Sum of attributions − (F(A) − F(A′)) for each layer, (L,); captum's sign.
        n_nodes: Quadrature nodes used in each layer, (L,); 0 where not computed.
        model: Name of the checkpoint.
        revision: What identifies its weights.
        settings: The convention used.
        notice: One sentence that a reader has to know (text was cut), or "".
        output_kind: What the model's head gives: ``"softmax"``, ``"sigmoid"`` (a single logit), ``"multi-label"`` or
            ``"regression"``, whose F is the value itself.

    Raises:
        UserError: When shapes do not agree or numbers are not finite, as in a damaged file.
    """

    attention: np.ndarray
    attribution: np.ndarray
    tokens: tuple[str, ...]
    sentences: tuple[int, ...]
    words: tuple[int, ...]
    word_labels: tuple[str, ...]
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: np.ndarray
    target: int
    output: float
    baseline_output: np.ndarray
    convergence_delta: np.ndarray
    n_nodes: np.ndarray
    model: str
    revision: str
    settings: Settings
    notice: str = ""
    output_kind: OutputKind = "softmax"

    def __post_init__(self) -> None:
        n_layers, n_tokens = len(self.attention), len(self.tokens)
        square = (*self.attention.shape[:2], n_tokens, n_tokens)
        agrees = (
            self.attention.ndim == 4
            and min(self.attention.shape) > 0
            and self.attention.shape == self.attribution.shape == square
            and len(self.sentences) == len(self.words) == n_tokens
            and self.probabilities.shape == (len(self.labels),)
            and self.baseline_output.shape == self.convergence_delta.shape == self.n_nodes.shape == (n_layers,)
            and type(self.target) is int
            and 0 <= self.target < len(self.labels)
            and all(-1 <= word < len(self.word_labels) for word in self.words)
            and set(self.sentences) <= {-1, 0, 1}
            and self.output_kind in get_args(OutputKind)
        )
        if not agrees:
            raise UserError("The parts of this attribution do not fit each other: the file is damaged.")
        per_layer = (self.output, *self.baseline_output, *self.convergence_delta)
        if not (
            _is_whole(self.probabilities)
            and not np.isnan(self.probabilities).any()
            and all(_is_whole(np.array(number)) for number in per_layer)
            and _is_whole(self.attention)
            and all(_is_whole(layer) for layer in self.attribution)
        ):
            raise UserError("This attribution has numbers that are not finite: the file or the model is damaged.")

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.attribution.shape[0]

    @property
    def n_heads(self) -> int:
        """Number of heads in a layer."""
        return self.attribution.shape[1]

    @property
    def prediction(self) -> int:
        """Class index of the most probable label; 0 for a regression."""
        return 0 if self.output_kind == "regression" else int(self.probabilities.argmax())

    @property
    def unit(self) -> str:
        """F in a word: ``"value"`` for a regression, else the function of the settings."""
        return "value" if self.output_kind == "regression" else self.settings.function

    @property
    def finished(self) -> np.ndarray:
        """Which layers were computed, bool (L,)."""
        return ~np.isnan(self.attribution[:, 0, 0, 0])

    @property
    def largest_gap(self) -> np.ndarray:
        """The largest |convergence delta| that counts as complete in each layer, (L,)."""
        return self.settings.compute_largest_gap(np.float64(self.output), self.baseline_output.astype(np.float64))

    @property
    def converged(self) -> np.ndarray:
        """Which layers are computed and complete within the tolerance, bool (L,)."""
        return np.abs(self.convergence_delta) <= self.largest_gap

    @property
    def head_maximum(self) -> np.ndarray:
        """The largest attribution entry of each head (signed, as in the paper's head importance), (L, H)."""
        return self.attribution.max(axis=(2, 3))


def _is_whole(numbers: np.ndarray) -> bool:
    """Whether numbers are there, all finite, or not there, all NaN."""
    return bool(-_LARGEST < numbers.min() <= numbers.max() < _LARGEST or np.isnan(numbers).all())
