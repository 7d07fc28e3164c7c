"""Endpoints about one text: which models there are, its attribution, its tree."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.checkpoints.curated import read_curated
from attattr_core.datasets.hub_reading import find_split
from attattr_core.datasets.opening import HUB_PREFIX
from attattr_core.errors import UserError
from attattr_core.storage import list_content
from attattr_core.trees.files import dump_tree
from attattr_core.trees.tree import DEFAULT_EDGES, build_tree
from attattr_core.ui.api.answers import Attributed, Entry, Loaded, ModelEntry, ModelList, Tree, tell_done, tell_progress
from attattr_core.ui.api.fields import Convention, find_loaded, read_convention
from attattr_core.ui.long_work import follow_download, read_count
from attattr_core.ui.models import Models
from attattr_core.ui.running import MAX_STEPS
from attattr_core.ui.work import Job, LabelReport, Refusal, Step, attribute_job

MAX_NUMBERS = 3_000_000  # of both maps in one answer, some 40 MB of JSON
_MAX_ENTRIES = 1000


@dataclass(frozen=True)
class TextEndpoints:
    """The endpoints, for what a server offers."""

    models: Models

    def list_models(self) -> Iterator[ModelList]:
        """List the checkpoints that this server proposes, and its limits.

        Returns:
            models: id, what it decides, whether it takes a pair, label names by class index, whether it is embedded
            takes_other_models: whether any classifier of the Hugging Face Hub may be named as well
            limits: bytes of a model, bytes and rows of data, characters and tokens of a text, nodes when they are fixed
        """
        limits, data = self.models.limits, self.models.data
        allowed = {
            "model_bytes": limits.max_bytes,
            "data_bytes": data.max_bytes,
            "data_rows": data.max_rows,
            "text_characters": self.models.page.max_characters,
            "text_tokens": self.models.page.max_tokens,
            "n_steps": MAX_STEPS,
            "numbers_in_maps": MAX_NUMBERS,
        }
        takes_others = not limits.curated_only and not limits.offline
        yield tell_done(models=list(self._list_entries()), takes_other_models=takes_others, limits=allowed)

    def load(self, name: str) -> Iterator[Loaded]:
        """Download a model of the Hugging Face Hub, or a data set, so that the other endpoints can use it.

        What is here already is not downloaded again. A download that was stopped goes on where it was.

        Args:
            name: An id such as 'org/model' or 'org/model@revision'; or a data set as 'hub:ID:CONFIG:SPLIT'.

        Returns:
            While it lasts n_done of n_total bytes
            in the end name, pinned revision, and a model's label names
        """
        labels: tuple[str, ...] = ()
        if name.startswith(HUB_PREFIX):
            rest = name.removeprefix(HUB_PREFIX)
            what = find_split(rest, limits=self.models.data, hub_limits=self.models.limits)
        else:
            choice = self.models.find(name)
            what, labels = choice.description, self.models.find_labels(choice, None)
        if name not in EMBEDDED and what.folder is None:
            for progress, _ in follow_download(what):
                yield tell_progress(progress.n_bytes, progress.n_total, "bytes", what.notice)
        yield tell_done(what.notice, name=what.name, revision=what.revision, labels=list(labels))

    def attribute(
        self,
        model: str,
        text: str,
        text_pair: str = "",
        target: str = "predicted",
        settings: Convention | None = None,
        n_strongest: int = 20,
        maps: bool = False,
    ) -> Iterator[Attributed]:
        """Compute how much each attention weight of each layer and head moved a classifier's decision on one text.

        Self-attention attribution (Hao et al., 2021). For every layer the attributions sum to F(A) - F(A') up to
        convergence_delta, which certifies that nothing is missing. Layers, heads and tokens count from 0. Maps are sent
        up to 3,000,000 numbers, that is some 140 tokens of 'sst2' and 100 of BERT-base.

        Args:
            model: 'sst2', 'snli', or the id of a classifier of the Hugging Face Hub (see list_models, load).
            text: The sentence, or the first of a pair.
            text_pair: The second of a pair, or ''.
            target: The label explained: 'predicted', a label's name, or a class index such as '1'.
            settings: Any of function, baseline, rule, n_steps, tolerance, precision; as in result['settings'].
            n_strongest: How many of the strongest entries of all maps are listed, at most 1000.
            maps: Whether result has the arrays attention and attribution, (layers, heads, T, T).

        Returns:
            While it lasts n_done of n_total layers
            in the end strongest, converged (by layer), seconds, device
            and result: the command line's .json file, with tokens, probabilities, labels, output, convergence_delta
        """
        n_strongest = read_count("entries", n_strongest, 0, _MAX_ENTRIES)
        for step in self._attribute(model, (text, text_pair), target, settings):
            result = step.result
            if maps and 2 * result.attribution.size > MAX_NUMBERS:
                raise UserError(
                    f"The maps of this text are {2 * result.attribution.size:,} numbers: up to {MAX_NUMBERS:,} are "
                    "sent. Leave maps out, shorten the text, or use the command line."
                )
            if not result.finished.all():
                yield _tell_layers(result)
                continue
            yield tell_done(
                result.notice,
                seconds=round(step.seconds, 3),
                device=step.device,
                converged=result.converged.tolist(),
                strongest=_list_strongest(result, n_strongest),
                result=list_content(result, maps=maps),
            )

    def tree(
        self,
        model: str,
        text: str,
        text_pair: str = "",
        target: str = "predicted",
        settings: Convention | None = None,
        mode: Literal["flow", "paper"] = "flow",
        n_edges: int = DEFAULT_EDGES,
        threshold: float | None = None,
        mass: float | None = None,
        words: bool = False,
    ) -> Iterator[Tree]:
        """Build the attribution tree of one text: which tokens told which, from the sentence up to the decision.

        Args:
            model: 'sst2', 'snli', or the id of a classifier of the Hugging Face Hub (see list_models, load).
            text: The sentence, or the first of a pair.
            text_pair: The second of a pair, or ''.
            target: The label explained: 'predicted', a label's name, or a class index such as '1'.
            settings: Object with any of function, baseline, rule, n_steps, tolerance, precision; as for attribute.
            mode: 'flow' starts at the token that the classifier reads; 'paper' is the authors' algorithm.
            n_edges: Budget of edges of 'flow'.
            threshold: Weakest edge, a share of the largest attribution: default 0.4 in 'paper', 0 in 'flow'.
            mass: 'flow' stops when the edges keep this share of the positive attribution, from 0 to 1.
            words: Whether pieces are merged to words first.

        Returns:
            While it lasts n_done of n_total layers
            in the end tree: the command line's .json file, with tokens, edges as [receiver, sender], details, height
        """
        for step in self._attribute(model, (text, text_pair), target, settings):
            if not step.result.finished.all():
                yield _tell_layers(step.result)
                continue
            tree = build_tree(step.result, mode=mode, threshold=threshold, n_edges=n_edges, mass=mass, words=words)
            yield tell_done(step.result.notice, tree=json.loads(dump_tree(tree)))

    def _attribute(
        self, model: str, texts: tuple[str, str], target: str, settings: Convention | None
    ) -> Iterator[Step]:
        convention = read_convention(settings)
        self.models.page.check_texts(texts)
        choice = find_loaded(self.models, model)
        reports, limits = choice.key not in self.models.reports, self.models.page
        job = Job(choice.description, (), texts, target, convention, reports=reports, limits=limits)
        for part in attribute_job(job):
            if isinstance(part, Refusal):
                raise UserError(part.sentence)
            if isinstance(part, LabelReport):
                self.models.note(choice, part)
            else:
                yield part

    def _list_entries(self) -> Iterator[ModelEntry]:
        for name, about in EMBEDDED.items():
            labels = list(self.models.find_labels(self.models.find(name), None))
            yield ModelEntry(id=name, about=about, is_pair=name == "snli", labels=labels, is_embedded=True)
        for entry in read_curated():
            about = ", ".join(filter(None, (entry.dataset, entry.family, entry.remark)))
            labels = None if entry.labels is None else list(entry.labels)
            yield ModelEntry(id=entry.id, about=about, is_pair=entry.is_pair, labels=labels, is_embedded=False)


def _tell_layers(result: Attribution) -> Any:
    return tell_progress(int(result.finished.sum()), result.n_layers, "layers", result.notice)


def _list_strongest(result: Attribution, n_entries: int) -> list[Entry]:
    """The largest entries of all maps, whatever their sign."""
    sizes = np.abs(result.attribution).ravel()
    places = np.argsort(-sizes, kind="stable")[:n_entries]
    names = ("layer", "head", "receiver", "sender")
    return [
        {
            **dict(zip(names, map(int, place), strict=True)),
            "attention": float(result.attention[place]),
            "attribution": float(result.attribution[place]),
        }
        for place in zip(*np.unravel_index(places, result.attribution.shape), strict=True)
    ]
