"""Write what a fine-tuning run did: ``training.json`` for programs, ``README.md`` for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from attattr_core.finetuning.evaluation import Evaluation
from attattr_core.intervals import compute_wilson

RECORD_FILE = "training.json"


@dataclass(frozen=True)
class CardFacts:
    """What a model card says beyond what a run knows by itself.

    Attributes:
        title: First heading; empty takes the folder's name.
        license: SPDX identifier of the weights, or ``other``.
        datasets: Hub names of the data sets behind the training files.
        notes: Paragraphs in Markdown: where the data comes from, what the model is for.
    """

    title: str = ""
    license: str = "other"
    datasets: tuple[str, ...] = ()
    notes: str = ""


def read_record(folder: str | Path) -> dict[str, Any]:
    """Read the record of a folder.

    Args:
        folder: A checkpoint folder.

    Returns:
        Stages, evaluations and facts; empty where the folder has no record.
    """
    path = Path(folder) / RECORD_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_record(
    folder: str | Path, *, stages: Sequence[dict[str, Any]], evaluations: Sequence[Evaluation], facts: CardFacts
) -> None:
    """Write a folder's record and its model card.

    Args:
        folder: A checkpoint folder.
        stages: Every fine-tuning stage from the pretrained encoder on, this folder's last.
        evaluations: Figures measured on the folder.
        facts: What else the card says.
    """
    record = {
        "facts": asdict(facts),
        "evaluations": [asdict(evaluation) for evaluation in evaluations],
        "stages": list(stages),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (Path(folder) / RECORD_FILE).write_text(text, encoding="utf-8")
    (Path(folder) / "README.md").write_text(render_card(record, Path(folder).name), encoding="utf-8")


def render_card(record: dict[str, Any], name: str) -> str:
    """Render a model card.

    Args:
        record: What ``read_record`` returns.
        name: Name of the folder, the title where the facts have none.

    Returns:
        Markdown with front matter.
    """
    facts, last = record["facts"], record["stages"][-1]
    parts = [
        _render_front_matter(record, facts, last),
        f"# {facts['title'] or name}",
        _render_summary(record["stages"], last),
        facts["notes"].strip(),
        _render_figures(record["evaluations"]),
        *(_render_stage(number, stage) for number, stage in enumerate(record["stages"], start=1)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _render_front_matter(record: dict[str, Any], facts: dict[str, Any], last: dict[str, Any]) -> str:
    is_adapter = last["settings"]["method"] == "lora"
    lines = ["---", f"license: {facts['license']}", "language: en", f"base_model: {record['stages'][0]['base']}"]
    lines += ["datasets:", *(f"- {dataset}" for dataset in facts["datasets"])] if facts["datasets"] else []
    lines += [f"library_name: {'peft' if is_adapter else 'transformers'}", "pipeline_tag: text-classification"]
    lines += ["tags:", "- text-classification", *(["- lora"] if is_adapter else []), "metrics:", "- accuracy", "---"]
    return "\n".join(lines)


def _render_summary(stages: list[dict[str, Any]], last: dict[str, Any]) -> str:
    labels = ", ".join(f"{index} {label}" for index, label in enumerate(last["settings"]["labels"]))
    is_adapter = last["settings"]["method"] == "lora"
    what = f"A LoRA adapter for `{last['base']}`, fine-tuned" if is_adapter else "Fine-tuned"
    chain = f" in {len(stages)} stages" if len(stages) > 1 else ""
    return f"{what} from `{stages[0]['base']}`{chain}. Classes: {labels}."


def _render_figures(evaluations: list[dict[str, Any]]) -> str:
    if not evaluations:
        return ""
    rows = ["| Set | File | Examples | Accuracy | 95 % interval (Wilson) |", "|---|---|---|---|---|"]
    for evaluation in evaluations:
        name, file = evaluation["name"], evaluation["file"]
        rows.append(_render_figure(name, f"`{file}`", evaluation["n_correct"], evaluation["n_examples"]))
        for kind, (n_correct, n) in evaluation["kinds"].items():
            rows.append(_render_figure(f"{name}, {kind}", "", n_correct, n))
    digests = [f"* `{evaluation['file']}`: sha256 `{evaluation['sha256']}`" for evaluation in evaluations]
    heading = "## Accuracy\n\nMeasured on this folder as saved, loaded in float32, an adapter merged into its base."
    return f"{heading}\n\n" + "\n".join(rows) + "\n\n" + "\n".join(digests)


def _render_figure(name: str, file: str, n_correct: int, n: int) -> str:
    low, high = compute_wilson(n_correct / n, n)
    return f"| {name} | {file} | {n:,} | {n_correct / n:.1%} | {low:.1%} to {high:.1%} |"


def _render_stage(number: int, stage: dict[str, Any]) -> str:
    data, is_adapter = stage["data"], stage["settings"]["method"] == "lora"
    settings = {name: value for name, value in stage["settings"].items() if is_adapter or not name.startswith("lora")}
    losses = ", ".join(f"{loss:.3f} at {epoch:.2f}" for epoch, loss in _thin(stage["losses"], 12))
    epochs = "; ".join(f"{row['name']} {row['accuracy']:.1%} after epoch {row['epoch']:g}" for row in stage["epochs"])
    lines = [
        f"## Stage {number}: `{data['file']}`",
        "",
        f"* Base: `{stage['base']}`",
        f"* Data: `{data['file']}`, {data['rows']:,} labelled rows, {data['used']:,} used, sha256 `{data['sha256']}`",
        "* Settings: " + ", ".join(f"{name} {_render_value(value)}" for name, value in settings.items()),
        f"* Time: {stage['minutes']} minutes",
        f"* Training loss, by epoch: {losses}",
    ]
    lines += [f"* While training: {epochs}"] if epochs else []
    lines += ["", "```", stage["command"], "```"] if stage["command"] else []
    return "\n".join(lines)


def _render_value(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list | tuple) else f"`{value}`"


def _thin(losses: Sequence[Sequence[float]], n: int) -> list[Sequence[float]]:
    """Take about n losses, evenly, the last among them."""
    step = max(1, -(-len(losses) // n))
    return list(losses)[::-1][::step][::-1]
