"""Endpoints about heads: how important each is, and what the classifier does without them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from attattr_core.errors import UserError
from attattr_core.heads.importance_files import dump_importance, load_importance
from attattr_core.heads.results import DIRECTIONS, HeadImportance
from attattr_core.heads.study_files import dump_study
from attattr_core.settings import Settings
from attattr_core.ui.api.answers import Importance, Study, tell_done, tell_progress
from attattr_core.ui.api.fields import Convention, Data, Upload, as_file, find_loaded, read_convention, read_data
from attattr_core.ui.heads_files import MOST
from attattr_core.ui.heads_request import MOST_EXAMPLES, MOST_SEEDS, Request
from attattr_core.ui.heads_steps import prune, rank_once
from attattr_core.ui.long_work import read_count
from attattr_core.ui.models import Models

_MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class HeadEndpoints:
    """The endpoints, for what a server offers."""

    models: Models

    def head_importance(
        self,
        model: str,
        data: Data = None,
        file: Upload = None,
        method: Literal["attattr", "taylor", "taylor-authors", "ablation", "attention", "random"] = "attattr",
        n_examples: int = 200,
        seed: int | None = None,
        settings: Convention | None = None,
    ) -> Iterator[Importance]:
        """Measure how important each attention head of a classifier is on labelled data.

        Args:
            model: 'sst2', 'snli', or the id of a classifier of the Hugging Face Hub (see list_models, load).
            data: Rows as {"text", "text_pair", "label"}; 'sst2', 'snli' or 'hub:ID:CONFIG:SPLIT'; default: what fits.
            file: In place of data a table that was uploaded (handle_file): .tsv, .csv, .jsonl, .parquet.
            method: 'attattr' (the paper), 'taylor', 'taylor-authors', 'ablation', 'attention' or 'random'.
            n_examples: How many examples count, at most 5000.
            seed: Where their random choice begins; null for the first ones.
            settings: For 'attattr': object with any of function, baseline, rule, n_steps, tolerance, precision.

        Returns:
            While it lasts n_done of n_total examples
            in the end importance: the command line's .json file, with head_importance (a list of heads for each layer)
        """
        n_examples = read_count("examples", n_examples, 1, MOST_EXAMPLES)
        seed = seed if seed is None else read_count("the seed", seed, 0, _MAX_SEED)
        convention, choice = read_convention(settings), find_loaded(self.models, model)
        examples = read_data(self.models, choice, data, file)
        options = {"n_examples": n_examples, "seed": seed, "settings": convention}
        for step in rank_once(choice, examples, method, **options):
            if step.n_done < step.n_total:
                yield tell_progress(step.n_done, step.n_total, "examples", examples.notice)
        yield tell_done(examples.notice, importance=json.loads(dump_importance(step.importance)))

    def prune(
        self,
        model: str,
        importances: dict[str, Any],
        data: Data = None,
        file: Upload = None,
        n_examples: int = 200,
        n_seeds: int = 10,
        every_head: bool = False,
        direction: Literal["both", "least-first", "most-first"] = "both",
    ) -> Iterator[Study]:
        """Measure a classifier as more and more of its heads are switched off, in the order of each importance.

        Curves are measured on examples that ranked no heads where at least 30 of these are left; else the notice says
        how many did both. The checkpoint itself is not changed.

        Args:
            model: 'sst2', 'snli', or the id of a classifier of the Hugging Face Hub (see list_models, load).
            importances: By name, each as head_importance answers it, or as {"head_importance": [[...], ...]}.
            data: Rows as {"text", "text_pair", "label"}; 'sst2', 'snli' or 'hub:ID:CONFIG:SPLIT'; default: what fits.
            file: In place of data a table that was uploaded (handle_file): .tsv, .csv, .jsonl, .parquet.
            n_examples: How many examples each point is measured on, at most 5000.
            n_seeds: Random orders beside, 0 for none, at most 50.
            every_head: A point for every head; else every 10 %.
            direction: Which heads go first: 'least-first', 'most-first' or 'both'.

        Returns:
            While it lasts n_done of n_total passes of an example
            in the end study: the command line's .json file, with importances, curves, layerwise and differences
        """
        directions = DIRECTIONS if direction == "both" else (direction,)
        request = Request(
            (),
            0,
            read_count("examples", n_examples, 1, MOST_EXAMPLES),
            directions,
            read_count("random orders", n_seeds, 0, MOST_SEEDS),
            every_head,
            Settings(),
        )
        choice, read = find_loaded(self.models, model), _read_importances(importances)
        examples = read_data(self.models, choice, data, file)
        study, notice = None, examples.notice
        for step in prune(choice, examples, request, read):
            study, notice = step.study or study, " ".join(filter(None, (examples.notice, step.notice)))
            if step.n_done < step.n_total:
                yield tell_progress(step.n_done, step.n_total, "passes of an example", notice)
        yield tell_done(notice, study=json.loads(dump_study(study)))


def _read_importances(importances: dict[str, Any]) -> dict[str, HeadImportance]:
    if len(importances) > MOST["importances"]:
        raise UserError(f"importances has {len(importances)} entries: up to {MOST['importances']} are taken.")
    read = {}
    for name, content in importances.items():
        with as_file(content, "importances.json") as path:
            read[name[: MOST["characters of a name"]]] = load_importance(path)
    return read
