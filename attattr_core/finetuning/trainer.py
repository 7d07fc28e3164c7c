"""Set up transformers' Trainer so that a run that was cut off goes on as if it had not been."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments
from transformers.trainer_pt_utils import get_length_grouped_indices

from attattr_core.datasets import Example
from attattr_core.finetuning.settings import FinetuneSettings


def build_trainer(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    *,
    held_out: Mapping[str, Sequence[Example]],
    settings: FinetuneSettings,
    folder: Path,
    checkpoint_every: int,
    show_progress: bool,
) -> Trainer:
    """Set up AdamW with a linear warm-up and decay, batches of like length, and an evaluation after every epoch.

    Args:
        model: What is trained.
        tokenizer: Its tokenizer.
        examples: Training data.
        held_out: Examples to measure on, by name.
        settings: How to train.
        folder: Where progress is saved.
        checkpoint_every: Steps between two savings.
        show_progress: Whether to draw a progress bar and print losses.

    Returns:
        The trainer, not started.
    """
    n_steps = -(-len(examples) // settings.batch_size) * settings.epochs
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=64,
        warmup_steps=round(settings.warmup * n_steps),
        weight_decay=settings.weight_decay,
        lr_scheduler_type="linear",
        seed=settings.seed,
        bf16=settings.precision == "bfloat16",
        use_cpu=not torch.accelerator.is_available(),
        eval_strategy="epoch" if held_out else "no",
        save_strategy="steps",
        save_steps=checkpoint_every,
        save_total_limit=1,
        logging_steps=max(1, min(100, round(n_steps / 10))),
        report_to="none",
        disable_tqdm=not show_progress,
        remove_unused_columns=False,
    )
    return _RepeatableTrainer(
        model=model,
        args=arguments,
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=_encode(tokenizer, examples, settings.max_length),
        eval_dataset={name: _encode(tokenizer, part, settings.max_length) for name, part in held_out.items()} or None,
        compute_metrics=lambda result: {"accuracy": float((result.predictions.argmax(-1) == result.label_ids).mean())},
    )


class _EpochSampler(Sampler[int]):
    """Groups examples of like length, in an order that seed and epoch alone decide.

    The trainer's own grouping draws from the global generator, so that a resumed epoch would see another order.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1000 + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))


class _RepeatableTrainer(Trainer):
    def get_train_dataloader(self) -> DataLoader:
        lengths = [len(row["input_ids"]) for row in self.train_dataset]
        sampler = _EpochSampler(lengths, self.args.train_batch_size, self.args.seed)
        loader = DataLoader(
            self.train_dataset, self.args.train_batch_size, sampler=sampler, collate_fn=self.data_collator
        )
        return self.accelerator.prepare(loader)


def _encode(tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[dict[str, Any]]:
    pairs = [example.text_pair for example in examples]
    inputs = [[example.text for example in examples], *([pairs] if pairs[0] is not None else [])]
    length = min(max_length, tokenizer.model_max_length)
    encoded = tokenizer(*inputs, truncation=True, max_length=length, padding=False)
    names = list(encoded)
    return [
        {name: encoded[name][row] for name in names} | {"labels": example.label} for row, example in enumerate(examples)
    ]
