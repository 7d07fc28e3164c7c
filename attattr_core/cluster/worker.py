"""What runs on a worker of a Ray cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from attattr_core.checkpoints.checkpoint import Checkpoint, load_checkpoint, silence_loading
from attattr_core.cluster.workers import Work, fix_product
from attattr_core.engine.products import fixing_product
from attattr_core.errors import UserError
from attattr_core.hub import parse_reference


@dataclass(frozen=True)
class Source:
    """Where workers find a checkpoint.

    Attributes:
        name: What `load_checkpoint` takes: an embedded name, a folder's whole path, or a Hub id with its commit.
        revision: What the weights have to be.
    """

    name: str
    revision: str


def find_source(checkpoint: Checkpoint) -> Source:
    """Finds where workers load a checkpoint from.

    Raises:
        UserError: When its weights have no revision.
    """
    if not checkpoint.revision:
        raise UserError(
            f"The weights of {checkpoint.name[:80]!r} have no revision by which workers could find them: load them "
            "from a folder or the Hub."
        )
    reference = parse_reference(checkpoint.name)
    names = {"folder": str(Path(reference.name).resolve()), "hub": f"{reference.name}@{_read_commit(checkpoint)}"}
    return Source(names.get(reference.kind, reference.name), checkpoint.revision)


def _read_commit(checkpoint: Checkpoint) -> str:
    return checkpoint.revision.partition("+")[0]  # of an adapter; behind it is its base's


class Worker:
    """A worker with a checkpoint of its own; Ray makes an actor of it."""

    def __init__(self, source: Source, device_type: str, n_threads: int) -> None:
        """Loads nothing yet: what goes wrong then can be said in answer to a shard only."""
        torch.set_num_threads(n_threads)
        self._source, self._device_type = source, device_type
        self._checkpoint: Checkpoint | None = None
        self._job: tuple[Any, Work] | None = None

    def work(self, job: list[Any], onednn: bool, shard: tuple) -> Any:
        """Does what a job does with one shard.

        Args:
            job: Reference to what `attattr_core.cluster.workers.Workers.start` prepares.
            onednn: Which matrix product to take.
            shard: The arguments.

        Returns:
            The result.

        Raises:
            UserError: When the checkpoint cannot be loaded or is another one here, or of the work.
        """
        import ray

        if self._job is None or self._job[0] != job[0]:
            prepare = ray.get(job[0])
            with fixing_product(onednn):
                self._job = job[0], prepare(self._load())
        *_, (_, result) = fix_product(self._job[1](*shard), onednn)
        return result

    def _load(self) -> Checkpoint:
        if self._checkpoint is None:
            silence_loading()
            found = load_checkpoint(self._source.name, device=self._device_type)
            if found.revision != self._source.revision:
                raise UserError(
                    f"A worker has other weights under {self._source.name[:80]!r} (revision {found.revision}, not "
                    f"{self._source.revision}): put the same files in the same place on every machine."
                )
            self._checkpoint = found
        return self._checkpoint
