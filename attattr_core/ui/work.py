"""The work that needs a model. On ZeroGPU another process does it: only what can be pickled goes in and comes out."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from attattr_core.attribution import Attribution
from attattr_core.checkpoints.curated import find_curated
from attattr_core.checkpoints.memory import CheckpointCache
from attattr_core.errors import UserError, is_memory_error
from attattr_core.hub import Description, find_snapshot
from attattr_core.labels.tasks import read_tasks
from attattr_core.settings import Settings
from attattr_core.ui.job_log import Refusal, count_tokens, logged
from attattr_core.ui.limits import PageLimits
from attattr_core.ui.models import identify
from attattr_core.ui.shortages import refusing
from attattr_core.ui.spaces import IS_ZERO_GPU, estimate_seconds, on_gpu

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.labels.naming import LabelProposal

_SECONDS_BETWEEN_STEPS = 0.2
_ADAPTIVE_NODES = 16  # a layer, more than most need


@dataclass(frozen=True)
class Job:
    """What is to be done with a checkpoint that is in the Hub's cache, embedded, or in a folder.

    Attributes:
        description: The checkpoint.
        names: The visitor's own label names, or () for those of its configuration.
        texts: Sentence A, and B or "".
        target: The label explained.
        settings: The convention.
        reports: Whether a `LabelReport` is wanted.
        probes: Whether the label names are probed even when they look right.
        limits: What a visitor may ask for.
    """

    description: Description
    names: tuple[str, ...] = ()
    texts: tuple[str, str] = ("", "")
    target: str = "predicted"
    settings: Settings = field(default_factory=Settings)
    reports: bool = True
    probes: bool = False
    limits: PageLimits = field(default_factory=PageLimits)


@dataclass(frozen=True)
class LabelReport:
    """What is known of a loaded checkpoint: its label names and what speaks against them.

    Attributes:
        labels: Names by class index, from its configuration.
        n_parameters: Its size.
        findings: What is wrong with the names, a sentence each.
        proposal: What a probe found, or None where none was needed.
    """

    labels: tuple[str, ...]
    n_parameters: int
    findings: tuple[str, ...] = ()
    proposal: "LabelProposal | None" = None

    @property
    def is_suspect(self) -> bool:
        """Whether a person should look at the names."""
        return bool(self.findings or (self.proposal and self.proposal.suspicion))


@dataclass(frozen=True)
class Step:
    """An attribution so far, the seconds that it took, and where it was computed, in words."""

    result: Attribution
    seconds: float
    device: str


Part = LabelReport | Step | Refusal


def _estimate_attribution(job: Job) -> int:
    n_nodes = job.settings.n_steps or _ADAPTIVE_NODES
    return estimate_seconds(_count_bytes(job), n_characters=len("".join(job.texts).encode()), n_nodes=n_nodes)


def _estimate_inspection(job: Job) -> int:
    return estimate_seconds(_count_bytes(job), n_characters=100, n_nodes=16)  # some 100 short texts, forward only


def _count_bytes(job: Job) -> int:
    parts = [part for part in (job.description, job.description.base) if part is not None]
    return sum(path.stat().st_size for part in parts for path in find_snapshot(part).glob("*.safetensors"))


def _count(part: Part | None, _: Job) -> str:
    return count_tokens(part.result.tokens) if isinstance(part, Step) else "no tokens"


@logged("attribution", _count)
@on_gpu(_estimate_attribution)
@refusing("a smaller model or a shorter text")
def attribute_job(job: Job) -> Iterator[Part]:
    """Attributes a job's texts; yields a `LabelReport` if one is wanted, then steps, or a `Refusal` at the end."""
    with _use(job.description) as checkpoint, _explaining(job):
        if job.reports:
            yield _report(checkpoint, job)
        yield from _attribute(_rename(checkpoint, job.names), job)


@logged("look at labels", _count)
@on_gpu(_estimate_inspection)
@refusing("a smaller model")
def inspect_job(job: Job) -> Iterator[Part]:
    """Loads a job's checkpoint; yields a `LabelReport`, or a `Refusal`."""
    with _use(job.description) as checkpoint, _explaining(job):
        yield _report(checkpoint, job)


def is_loaded(description: Description) -> bool:
    """Tells whether a checkpoint is in this process's memory."""
    return identify(description) in {(key.name, key.revision) for key in find_cache().list_keys()}


@cache
def find_cache() -> CheckpointCache:
    """The checkpoints in memory, one cache for all visitors."""
    return CheckpointCache(load=_load)


def describe_place() -> str:
    """Describes where and how this process computes; it loads torch."""
    if IS_ZERO_GPU:
        return "ZeroGPU (a card for each run), float32"
    from attattr_core.engine.devices import choose_device, describe_device

    return describe_device(choose_device())


@contextmanager
def _explaining(job: Job) -> Iterator[None]:
    """A model of the Hub may load and then fail at every text; the visitor gets a sentence, the log the whole."""
    from attattr_core.checkpoints.loading import explaining

    with explaining(job.description.name, "run on this text"):
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if not is_memory_error(error):
                logging.getLogger(__name__).exception("A run of %s failed", job.description.name)
            raise


def _use(description: Description) -> Any:
    name, revision = identify(description)
    return find_cache().use(name, revision=revision, description=description)


def _load(_: str, *, device: str, description: Description) -> "Checkpoint":
    from attattr_core.checkpoints.checkpoint import load_described, silence_loading

    silence_loading()
    return load_described(description, device=device)


def _report(checkpoint: "Checkpoint", job: Job) -> LabelReport:
    from attattr_core.engine.outputs import find_output_kind
    from attattr_core.labels.naming import find_label_conflicts, probe_labels

    findings: tuple[str, ...] = ()
    if find_output_kind(checkpoint.model.config) != "regression":  # a value has no classes to be confused
        findings += find_label_conflicts(job.description.id2label, job.description.label2id)
        findings += compare_with_list(job.description.name, checkpoint.labels)
    proposal = None
    if job.probes or findings:
        proposal = probe_labels(checkpoint)
    n_parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    return LabelReport(checkpoint.labels, n_parameters, findings, proposal)


def compare_with_list(name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Compares label names with those that the curated list knows for a checkpoint; a sentence where they differ."""
    entry = find_curated(name)
    if entry is None or entry.labels is None:
        return ()
    task = read_tasks()[entry.task]
    found, known = task.find_classes(labels), task.find_classes(entry.labels)
    if None in (found, known) or found == known:
        return ()
    return (
        f"The names say {', '.join(labels)}, but the order known for this checkpoint is {', '.join(entry.labels)} "
        f"({entry.source}).",
    )


def _rename(checkpoint: "Checkpoint", names: tuple[str, ...]) -> "Checkpoint":
    from attattr_core.labels.naming import rename_labels

    return rename_labels(checkpoint, names) if names else replace(checkpoint)


def _attribute(checkpoint: "Checkpoint", job: Job) -> Iterator[Step]:
    from attattr_core.engine.attributing import attribute_layers
    from attattr_core.engine.devices import describe_device
    from attattr_core.engine.encoding import encode

    encoded = encode(checkpoint, *job.texts)
    job.limits.check_tokens(len(encoded.tokens) + encoded.n_cut)
    device, last, started = describe_device(checkpoint.device), 0.0, time.perf_counter()
    for result in attribute_layers(checkpoint, *job.texts, target=job.target, settings=job.settings):
        now = time.perf_counter()
        if not result.finished.all() and now - last < _SECONDS_BETWEEN_STEPS:
            continue
        last = now
        yield Step(result, now - started, device)
