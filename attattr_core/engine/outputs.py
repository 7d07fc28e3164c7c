"""What a classifier's head gives: probabilities that sum to 1, probabilities of their own, or values; and F of it."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from attattr_core.attribution import OutputKind
from attattr_core.errors import UserError

_REGRESSION_TASKS = {"sts-b", "stsb"}


def find_output_kind(config: Any) -> OutputKind:
    """Finds what the logits of a classifier mean.

    Args:
        config: The model's configuration; ``problem_type``, ``num_labels`` and ``finetuning_task`` of it are read.

    Returns:
        ``"regression"``: each logit is a value; ``"sigmoid"``: the single logit is that of a probability, as in
        cross-encoders; ``"multi-label"``: each logit is that of a probability of its own; ``"softmax"``: the
        probabilities of the labels sum to 1.
    """
    problem = getattr(config, "problem_type", None)
    task = str(getattr(config, "finetuning_task", None) or "").lower().replace(":", "/").split("/")[-1]
    if problem == "regression" or (config.num_labels == 1 and task in _REGRESSION_TASKS):
        return "regression"
    if config.num_labels == 1:
        return "sigmoid"
    return "multi-label" if problem == "multi_label_classification" else "softmax"


def check_function(function: str, kind: OutputKind) -> None:
    """Refuses an F that the head does not have.

    Raises:
        UserError: For the log-probability of a regression.
    """
    if kind == "regression" and function == "log-probability":
        raise UserError(
            "The model predicts a value, which has no log-probability: choose 'logit' or 'probability', which both "
            "explain the value itself."
        )


def find_predictions(logits: Tensor, kind: OutputKind) -> Tensor:
    """Finds the predicted label of each example, (n,): the most probable one, and the first value of a regression."""
    most_probable = logits.argmax(-1)
    return torch.zeros_like(most_probable) if kind == "regression" else most_probable


def compute_probabilities(logits: Tensor, kind: OutputKind) -> Tensor:
    """Computes the probability of each label, (n, n_labels); the values themselves for a regression."""
    if kind == "regression":
        return logits
    return logits.softmax(-1) if kind == "softmax" else logits.sigmoid()


def compute_output(logits: Tensor, targets: Tensor, function: str, kind: OutputKind) -> Tensor:
    """Computes F.

    Args:
        logits: (n, n_labels).
        targets: The label explained, (n,).
        function: ``"probability"``, ``"logit"`` or ``"log-probability"``; of a regression F is the value in any case.
        kind: What the logits mean, from `find_output_kind`.

    Returns:
        F, (n,).
    """
    if function == "logit" or kind == "regression":
        values = logits
    else:
        values = logits.log_softmax(-1) if kind == "softmax" else logsigmoid(logits)
    values = values.gather(-1, targets[:, None]).squeeze(-1)
    return values.exp() if function == "probability" and kind != "regression" else values
