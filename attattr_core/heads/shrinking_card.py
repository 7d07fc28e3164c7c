"""The model card of a classifier without some heads."""

import json
from collections.abc import Mapping
from typing import Any

from attattr_core.engine.families import find_family
from attattr_core.heads.results import describe_cut
from attattr_core.heads.weights import WEIGHTS
from attattr_core.intervals import compute_wilson

_NAMES = {"before": "Before", "saved": "This folder", "cut": "Heads cut after loading"}
_HOW = {
    "attattr": "self-attention attribution",
    "taylor": "Taylor expansion of the loss (Michel et al., 2019)",
    "taylor-authors": "Taylor expansion as in the code of Hao et al.",
    "ablation": "accuracy lost with that head alone masked",
    "attention": "mean of the largest attention probability",
    "random": "random order",
}
_LOADING = """\
```python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained("{folder}")
tokenizer = AutoTokenizer.from_pretrained("{folder}")
```"""
#: For people without this program: what `attattr_core.heads.removal.remove_heads` does with ``uneven``.
_CUTTING = """\
A configuration of `{family}` models cannot say that layers have different numbers of heads, or that heads are narrower
than the hidden size divided by their number. So the heads are zeros in the file. This cuts them after loading, which
makes the model smaller in memory and faster, with the same logits:

```python
import torch

n_heads, width = {n_heads}, {width}
for number, zeroed in model.config.zeroed_heads.items():
    layer = model.base_model.{layers}[int(number)]
    kept = [head for head in range(n_heads) if head not in zeroed] or [0]
    rows = torch.tensor([head * width + row for head in kept for row in range(width)])
    for part in ({parts}):
        part.weight = torch.nn.Parameter(part.weight[rows])
        part.bias = part.bias if part.bias is None else torch.nn.Parameter(part.bias[rows])
    layer.{output}.weight = torch.nn.Parameter(layer.{output}.weight[:, rows])
    for name, value in (("num_attention_heads", len(kept)), ("num_heads", len(kept)), ("n_heads", len(kept)),
                        ("all_head_size", len(rows))):
        if hasattr({attention}, name):
            setattr({attention}, name, value)
```"""


def render_card(record: Mapping[str, Any], folder: str, *, width: int | None) -> str:
    """Renders a model card.

    Args:
        record: What ``removal.json`` keeps.
        folder: The folder's name.
        width: Of a head, where zeroed heads can be cut after loading; else None.

    Returns:
        Markdown with front matter.
    """
    heads = record["heads"]
    revision = f" ({_code(record['revision'])})" if record["revision"] else ""
    parts = [
        _render_front_matter(record),
        f"# {_plain(folder)}",
        f"{_code(record['model'])}{revision} without {len(heads)} of its {record['n_heads']} attention heads: a "
        f"classifier with the logits that it has when these heads are masked. {_render_form(record)} Its licence is "
        "that of the model it was made from.",
        "## Removed heads\n\n" + _render_reason(record["importance"]) + _render_heads(heads),
        _render_measured(record["measured"]),
        "## Loading\n\n" + _LOADING.format(folder=_plain(folder)),
        _render_cutting(record, width) if width else "",
        f"Made by `python -m attattr_core shrink`; `removal.json` keeps all of this for programs. Versions: "
        f"{', '.join(f'{name} {number}' for name, number in record['versions'].items())}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _plain(text: str) -> str:
    """A name as it may stand in Markdown: nothing in it ends a line, a code or a string."""
    return "".join(letter if letter.isalnum() or letter in " -_.,@/:+()" else "?" for letter in str(text)[:200])


def _code(text: str) -> str:
    return f"`{_plain(text)}`"


def _render_front_matter(record: Mapping[str, Any]) -> str:
    base = [f"base_model: {_plain(record['model'])}"] if record["is_hub_id"] else []
    tags = ["tags:", "- text-classification", "- pruned"]
    return "\n".join(["---", *base, "library_name: transformers", "pipeline_tag: text-classification", *tags, "---"])


def _render_form(record: Mapping[str, Any]) -> str:
    n_cut, n_zeroed = record["n_cut"], record["n_zeroed"]
    if not n_cut:
        return f"The weights of the {n_zeroed} heads are zeros in the file."
    rest = (
        f" and those of the other {n_zeroed} are zeros, because a configuration gives all layers one number of heads"
        if n_zeroed
        else ""
    )
    return f"The weights of {n_cut} heads are gone from the file{rest}."


def _render_reason(importance: Mapping[str, Any] | None) -> str:
    if not importance:
        return ""
    how = _HOW.get(importance["method"], importance["method"])
    data = f" on {importance['n_examples']:,} examples of {_code(importance['data'])}" if importance["data"] else ""
    digest = f" (sha256 {_code(importance['data_sha256'])})" if importance["data_sha256"] else ""
    settings = f", settings `{json.dumps(importance['settings'])}`" if importance["settings"] else ""
    which = (
        "The least important ones" if importance["are_least"] else "Chosen in another order than the least important"
    )
    return f"{which} by {how}{data}{digest}{settings}.\n\n"


def _render_heads(heads: list[list[int]]) -> str:
    layers: dict[int, list[int]] = {}
    for layer, head in heads:
        layers.setdefault(layer, []).append(head)
    rows = [f"| {layer + 1} | {', '.join(str(head + 1) for head in numbers)} |" for layer, numbers in layers.items()]
    table = "\n".join(["| Layer | Heads |", "|---|---|", *rows])
    return f"{table}\n\nLayers and heads count from 1 here, and from 0 in `removal.json` and `config.json`."


def _render_measured(measured: Mapping[str, Any] | None) -> str:
    if not measured:
        return ""
    models, n = measured["models"], measured["n_examples"]
    table = [["", *(_NAMES.get(name, name) for name in models)], ["---", *("---:" for _ in models)]]
    table.append(["Parameters", *(f"{model['n_parameters']:,}" for model in models.values())])
    table.append(["of them in attention", *(f"{model['n_attention']:,}" for model in models.values())])
    table.append(["Weights in a file, MB", *(f"{model['n_bytes'] / 1e6:.1f}" for model in models.values())])
    table.append(
        [measured["metric_name"].capitalize(), *(_render_metric(model, measured) for model in models.values())]
    )
    table.append(["Time for a sentence", *(_render_time(model) for model in models.values())])
    rows = "\n".join(f"| {' | '.join(row)} |" for row in table)
    cut = describe_cut(measured["n_cut"], n)
    return (
        f"## Measured\n\nOn {n:,} examples of {_code(measured['data'])} (sha256 {_code(measured['data_sha256'])})."
        f"{' ' * bool(cut)}{cut}\n\n"
        f"{rows}\n\n"
        f"Time: {measured['n_timed']} sentences one at a time on {_plain(measured['device'])}, "
        f"{measured['n_rounds']} rounds, the models taking turns sentence by sentence; the ratio is the "
        "median over sentences, of the median round (and the lowest and the highest). The largest difference of logits "
        f"from the masked model's is {measured['largest_difference']:.1e}."
    )


def _render_metric(model: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    value, n = model["metric"], measured["n_examples"]
    if measured["metric_name"] != "accuracy":
        return f"{value:.3f}"
    low, high = compute_wilson(value, n)
    return f"{value:.1%} ({low:.1%} to {high:.1%})"


def _render_time(model: Mapping[str, Any]) -> str:
    seconds = f"{model['seconds'] * 1000:.3g} ms"
    if model["time_ratio"] == model["time_low"] == model["time_high"] == 1:
        return seconds
    return f"{seconds}, × {model['time_ratio']:.2f} ({model['time_low']:.2f} to {model['time_high']:.2f})"


def _render_cutting(record: Mapping[str, Any], width: int) -> str:
    weights, family = WEIGHTS[record["family"]], find_family(record["family"])
    owner = weights.parts[0].rpartition(".")[0]
    return _CUTTING.format(
        family=record["family"],
        n_heads=record["n_heads_left"],
        width=width,
        layers=family.layers,
        parts=", ".join(f"layer.{part}" for part in weights.parts),
        output=weights.output,
        attention=f"layer.{owner}" if owner else "layer",
    )
