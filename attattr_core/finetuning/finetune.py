"""Fine-tune an encoder on a classification file: all weights, or a LoRA adapter with its head.

The loop is transformers' Trainer; what is here is what surrounds it: vetting, preparing, saving and measuring.
"""

import json
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attattr_core.datasets import Example, ExampleSet, read_examples
from attattr_core.errors import UserError
from attattr_core.finetuning.evaluation import Evaluation, evaluate_folder
from attattr_core.finetuning.model import load_base, save_model, vet_base
from attattr_core.finetuning.model_card import RECORD_FILE, CardFacts, read_record, write_record
from attattr_core.finetuning.settings import FinetuneSettings
from attattr_core.finetuning.trainer import build_trainer
from attattr_core.hub import Progress

#: Where an unfinished run keeps what it needs to be resumed, inside the output folder; removed at the end.
PROGRESS_FOLDER = "training"

_WEIGHTS = ("model.safetensors", "adapter_model.safetensors")


@dataclass(frozen=True)
class TrainingRun:
    """What a finished run left.

    Attributes:
        folder: The Hugging Face folder.
        losses: Pairs of epoch and mean training loss since the pair before.
        evaluations: Figures of the saved folder, loaded again in float32.
        label_names: Class names by index.
    """

    folder: Path
    losses: tuple[tuple[float, float], ...]
    evaluations: tuple[Evaluation, ...]
    label_names: tuple[str, ...]


def finetune(
    base: str,
    data: str | Path,
    output: str | Path,
    *,
    settings: FinetuneSettings | None = None,
    eval_sets: Mapping[str, str | Path] | None = None,
    vocabulary_data: Sequence[str | Path] = (),
    facts: CardFacts | None = None,
    command: str = "",
    resume: bool = False,
    overwrite: bool = False,
    checkpoint_every: int = 500,
    show_progress: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingRun:
    """Fine-tune an encoder, save it as a Hugging Face folder with a model card, and measure what was saved.

    Args:
        base: Hub id or folder of an encoder with safetensors weights.
        data: Training file; see ``read_examples`` for its layout.
        output: Folder to write.
        settings: How to train; None takes the defaults.
        eval_sets: Files to measure on, by name, after every epoch and at the end.
        vocabulary_data: More files whose texts count when the vocabulary is cut.
        facts: What the model card says beyond what was measured.
        command: The command line, for the model card.
        resume: Go on from the last progress saved in ``output``, or start where there is none.
        overwrite: Write over a finished folder.
        checkpoint_every: Steps between two savings of the progress.
        show_progress: Whether to draw a progress bar and print losses.
        on_progress: Called while a base from the Hub is downloaded.

    Returns:
        Losses and figures of the run.

    Raises:
        UserError: For a base, file, label or setting that cannot be used.
    """
    settings, output = settings or FinetuneSettings(), Path(output)
    _vet_packages(settings)
    _vet_output(base, output, resume=resume, overwrite=overwrite)
    training = read_examples(data, labels=settings.labels)
    if training.has_values:
        raise UserError(f"{training.file_name} has values, not classes; give a file with classes.")
    held_out = {name: read_examples(file, labels=training.label_names) for name, file in (eval_sets or {}).items()}
    counted = [training, *(read_examples(file) for file in vocabulary_data)]
    settings = replace(settings, labels=training.label_names)
    examples = _select_examples(training, settings)
    folder = vet_base(base, on_progress=on_progress)
    digests = [part.sha256 for part in counted]
    _vet_progress(output, {"base": base, "data": digests, **asdict(settings)}, resume=resume)

    start = time.monotonic()
    model, tokenizer = load_base(folder, settings, [example for part in counted for example in part.examples])
    trainer = build_trainer(
        model,
        tokenizer,
        examples,
        held_out={name: part.examples for name, part in held_out.items()},
        settings=settings,
        folder=output / PROGRESS_FOLDER,
        checkpoint_every=checkpoint_every,
        show_progress=show_progress,
    )
    progress = _find_progress(output) if resume else None
    trainer.train(resume_from_checkpoint=str(progress) if progress else None)
    save_model(trainer.model, tokenizer, output, base, settings)

    evaluations = evaluate_folder(output, held_out, max_length=settings.max_length)
    stage = {
        "command": command,
        "base": base,
        "data": {"file": training.file_name, "sha256": training.sha256, "rows": len(training), "used": len(examples)},
        "settings": asdict(settings),
        "minutes": round((time.monotonic() - start) / 60, 1),
        **_summarise(trainer.state.log_history, tuple(held_out)),
    }
    earlier = read_record(base).get("stages", []) if Path(base).is_dir() else []
    write_record(output, stages=[*earlier, stage], evaluations=evaluations, facts=facts or CardFacts())
    shutil.rmtree(output / PROGRESS_FOLDER, ignore_errors=True)
    return TrainingRun(output, tuple(map(tuple, stage["losses"])), evaluations, training.label_names)


def measure(
    folder: str | Path, eval_sets: Mapping[str, str | Path], *, facts: CardFacts | None = None
) -> tuple[Evaluation, ...]:
    """Measure a folder that ``finetune`` wrote and renew its model card.

    Args:
        folder: The finished folder.
        eval_sets: Files to measure on, by name; none keeps the figures there are.
        facts: What the model card says beyond what was measured; None keeps it.

    Returns:
        The new figures, one a file.

    Raises:
        UserError: For a folder or a file that cannot be used.
    """
    record = read_record(folder)
    if not record:
        raise UserError(f"{str(folder)!r} holds no {RECORD_FILE}; give a folder that fine-tuning wrote.")
    last = record["stages"][-1]["settings"]
    held_out = {name: read_examples(file, labels=last["labels"]) for name, file in eval_sets.items()}
    evaluations = evaluate_folder(folder, held_out, max_length=last["max_length"])
    write_record(
        folder,
        stages=record["stages"],
        evaluations=evaluations or [Evaluation(**figures) for figures in record["evaluations"]],
        facts=facts or CardFacts(**record["facts"]),
    )
    return evaluations


def _vet_packages(settings: FinetuneSettings) -> None:
    needed = ("accelerate", "peft") if settings.method == "lora" else ("accelerate",)
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise UserError(f"Fine-tuning needs {' and '.join(missing)}: run 'pip install {' '.join(missing)}'.")


def _vet_output(base: str, output: Path, *, resume: bool, overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        raise UserError(f"The output {str(output)!r} is a file; name a folder.")
    if Path(base).resolve() == output.resolve():
        raise UserError(f"The output {str(output)!r} is the base itself; name another folder.")
    is_unfinished = (output / PROGRESS_FOLDER).exists()
    if is_unfinished and resume:
        return
    if is_unfinished and not overwrite:
        raise UserError(f"{str(output)!r} holds an unfinished run; resume it, or ask to overwrite it.")
    if any((output / name).is_file() for name in _WEIGHTS) and not overwrite:
        raise UserError(f"{str(output)!r} holds a finished checkpoint; name another folder, or ask to overwrite it.")
    shutil.rmtree(output / PROGRESS_FOLDER, ignore_errors=True)
    for name in (*_WEIGHTS, "adapter_config.json"):
        (output / name).unlink(missing_ok=True)


def _vet_progress(output: Path, identity: dict[str, Any], *, resume: bool) -> None:
    """Remember what a run was asked for, so that it is not resumed as another one."""
    file = output / PROGRESS_FOLDER / "run.json"
    text = json.dumps(identity, indent=2)
    if resume and file.is_file() and file.read_text(encoding="utf-8") != text:
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = [name for name, value in json.loads(text).items() if before.get(name) != value]
        raise UserError(
            f"The run in {str(output)!r} was started with other settings ({', '.join(changed)}); repeat those, or ask "
            "to overwrite it."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _find_progress(output: Path) -> Path | None:
    """Find the latest saving that was completed: the trainer writes its state last."""
    found = sorted(
        (output / PROGRESS_FOLDER).glob("checkpoint-*"), key=lambda folder: int(folder.name.split("-")[1]), reverse=True
    )
    return next((folder for folder in found if _is_complete(folder)), None)


def _is_complete(progress: Path) -> bool:
    try:
        json.loads((progress / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (progress / "optimizer.pt").is_file()


def _select_examples(training: ExampleSet, settings: FinetuneSettings) -> list[Example]:
    examples = [example for example in training.examples if len(example.text.split()) >= settings.min_words]
    if settings.max_examples is not None and len(examples) > settings.max_examples:
        examples = random.Random(settings.seed).sample(examples, settings.max_examples)
    if len({example.label for example in examples}) < 2:
        raise UserError(f"What is left of {training.file_name} has fewer than two classes; relax the selection.")
    return examples


def _summarise(history: list[dict[str, float]], names: tuple[str, ...]) -> dict[str, Any]:
    """Take losses and accuracies by epoch from the trainer's log."""
    losses = [(round(entry["epoch"], 3), round(entry["loss"], 4)) for entry in history if "loss" in entry]
    epochs = [
        {"epoch": round(entry["epoch"], 3), "name": name, "accuracy": round(entry[f"eval_{name}_accuracy"], 4)}
        for entry in history
        for name in names
        if f"eval_{name}_accuracy" in entry
    ]
    return {"losses": losses, "epochs": epochs}
