"""Endpoints about triggers: mining them, and what they do."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from attattr_core.datasets import ExampleSet
from attattr_core.errors import UserError
from attattr_core.triggers.files import dump_triggers, load_triggers
from attattr_core.triggers.results import TriggerSet
from attattr_core.triggers.study_files import dump_study
from attattr_core.ui.api.answers import Triggers, TriggerStudy, tell_done, tell_progress
from attattr_core.ui.api.fields import Data, Upload, as_file, find_loaded, read_data
from attattr_core.ui.job_log import Refusal
from attattr_core.ui.long_work import read_count
from attattr_core.ui.models import Models
from attattr_core.ui.store import find_store, make_key
from attattr_core.ui.triggers_request import LIMITS
from attattr_core.ui.triggers_work import EvaluationJob, MiningJob, Notice, Part, evaluate, mine

_MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class TriggerEndpoints:
    """The endpoints, for what a server offers."""

    models: Models

    def mine_triggers(
        self,
        model: str,
        data: Data = None,
        file: Upload = None,
        mode: Literal["paper", "pooled"] = "paper",
        n_examples: int = 500,
        min_tokens: int = 0,
        seed: int | None = None,
    ) -> Iterator[Triggers]:
        """Find triggers: few tokens that attribution says decide, to be put into other texts.

        Args:
            model: 'sst2', 'snli', or the id of a classifier of the Hugging Face Hub (see list_models, load).
            data: Rows as {"text", "text_pair", "label"}; 'sst2', 'snli' or 'hub:ID:CONFIG:SPLIT'; default: what fits.
            file: In place of data a table that was uploaded (handle_file): .tsv, .csv, .jsonl, .parquet.
            mode: 'paper' takes the strongest entries of each example; 'pooled' tokens that are strong in many.
            n_examples: How many examples are mined, at most 5000.
            min_tokens: Shorter examples are left out.
            seed: Where their random choice begins; null for the first ones.

        Returns:
            While it lasts n_done of n_total examples
            in the end triggers: the command line's .json file, a list with the authors' keys, for evaluate_triggers
        """
        facts = {
            "mode": mode,
            "n_examples": _read_limited("examples to mine", n_examples, 1),
            "min_tokens": _read_limited("least number of tokens", min_tokens, 0),
            "seed": seed if seed is None else read_count("the seed", seed, 0, _MAX_SEED),
        }
        choice = find_loaded(self.models, model)
        examples = read_data(self.models, choice, data, file)
        key = make_key(kind="mining", model=choice.key, data=examples.sha256, labels=examples.label_names, **facts)
        job = MiningJob(choice.description, (), examples, state=find_store().find_file(key), **facts)
        for notice, part in _follow(mine(job), examples):
            if part.n_done < part.n_total:
                yield tell_progress(part.n_done, part.n_total, "examples" if mode == "paper" else "steps", notice)
        job.state.unlink(missing_ok=True)  # nothing is left to go on with, and it holds tokens of texts
        yield tell_done(notice, triggers=json.loads(dump_triggers(part.found)))

    def evaluate_triggers(
        self,
        model: str,
        triggers: list[dict[str, Any]],
        data: Data = None,
        file: Upload = None,
        n_triggers: int = 60,
        n_seeds: int = 5,
        only_best: bool = False,
        drop_mined: bool = False,
        second_model: str = "",
    ) -> Iterator[TriggerStudy]:
        """Measure what triggers do to a classifier, beside as many random tokens and the same tokens shuffled.

        Data that hold examples which the triggers were mined from are refused, or these are left out.

        Args:
            model: The checkpoint that the triggers were mined on.
            triggers: As mine_triggers answers them, or the authors' list.
            data: Rows as {"text", "text_pair", "label"}; 'sst2', 'snli' or 'hub:ID:CONFIG:SPLIT'; default: what fits.
            file: In place of data a table that was uploaded (handle_file): .tsv, .csv, .jsonl, .parquet.
            n_triggers: How many of them, the first, at most 500.
            n_seeds: Controls of each kind, 0 for none, at most 20.
            only_best: Whether only the three best of each class have controls.
            drop_mined: Whether mined examples are left out, in place of refusing the data.
            second_model: Another checkpoint of the same task, which is attacked in place of the first.

        Returns:
            While it lasts n_done of n_total passes over the data
            in the end study: the command line's .json file, a list with accuracy, success and controls of each trigger
        """
        counts = _read_limited("triggers to evaluate", n_triggers, 1), _read_limited("random draws", n_seeds, 0)
        choice = find_loaded(self.models, model)
        second = find_loaded(self.models, second_model) if second_model else None
        if second is not None and second.key == choice.key:
            raise UserError(f"{second_model[:80]!r} is the first checkpoint: choose another one as the second.")
        read, examples = _read_triggers(triggers), read_data(self.models, second or choice, data, file)
        job = EvaluationJob(
            choice.description,
            (),
            examples,
            read,
            *counts,
            only_best=only_best,
            drops=drop_mined,
            second=second.description if second else None,
        )
        for notice, part in _follow(evaluate(job), examples):
            if part.n_done < part.n_total:
                yield tell_progress(part.n_done, part.n_total, "passes over the data", notice)
        yield tell_done(notice, study=json.loads(dump_study(part.found, triggers=read)))


def _follow(steps: Iterator[Part | Notice | Refusal], data: ExampleSet) -> Iterator[tuple[str, Part]]:
    """Passes on what there is so far, with what there is to know about the data."""
    notice = data.notice
    for step in steps:
        if isinstance(step, Refusal):
            raise UserError(step.sentence)
        if isinstance(step, Notice):
            notice = " ".join(filter(None, (data.notice, step.sentence)))
        else:
            yield notice, step


def _read_limited(name: str, value: int, least: int) -> int:
    return read_count(name, value, least, LIMITS[name])


def _read_triggers(triggers: list[dict[str, Any]]) -> TriggerSet:
    with as_file(triggers, "triggers.json") as path:
        read = load_triggers(path)
    if not read.triggers:
        raise UserError("triggers is an empty list: give what mine_triggers answers.")
    return read
