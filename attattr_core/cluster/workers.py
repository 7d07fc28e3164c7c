"""The seam between a job over a data set and whoever does its work.

A job is cut into shards, batches of examples that run together. What is done with a shard is the same code whether this
process does it or a worker on another machine, and the job puts the results together in an order of its own: the
numbers do not depend on who worked.
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Any, NamedTuple, Protocol

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.products import fixing_product

#: What is done with a shard, given as arguments: yields the share done and None, at last 1 and the result.
Work = Callable[..., Generator[tuple[float, Any]]]


class Step(NamedTuple):
    """A step of the work.

    Attributes:
        number: Which shard, from 0.
        share: Share of it that is done, from 0 to 1.
        result: What the shard gave, with the share 1; else None.
    """

    number: int
    share: float
    result: Any


#: Works through shards; closing the generator stops the work.
Run = Callable[[Iterable[tuple]], Generator[Step]]


class Workers(Protocol):
    """Whoever does the work.

    Attributes:
        device_type: Where they compute, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    @property
    def device_type(self) -> str: ...

    def start(self, prepare: Callable[[Checkpoint], Work], *, onednn: bool) -> Run:
        """Begins a job.

        Args:
            prepare: Makes what is done with a shard; each worker calls it once, with a checkpoint of its own.
            onednn: Which matrix product all of them take (see `attattr_core.engine.products`).

        Returns:
            What runs shards, as often as it is called; those of one call may end in any order.
        """
        ...


class LocalWorkers:
    """This process, which works through the shards one after the other."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Takes the checkpoint as it is."""
        self._checkpoint = checkpoint

    @property
    def device_type(self) -> str:
        """The type of the checkpoint's device."""
        return self._checkpoint.device.type

    def start(self, prepare: Callable[[Checkpoint], Work], *, onednn: bool) -> Run:
        """Begins a job (see `Workers.start`); shards end in their order."""
        prepared: list[Work] = []

        def run(shards: Iterable[tuple]) -> Generator[Step]:
            for number, shard in enumerate(shards):
                if not prepared:
                    with fixing_product(onednn):
                        prepared.append(prepare(self._checkpoint))
                with closing(fix_product(prepared[0](*shard), onednn)) as steps:
                    for share, result in steps:
                        yield Step(number, share, result)

        return run


def fix_product(steps: Generator[tuple[float, Any]], onednn: bool) -> Generator[tuple[float, Any]]:
    """Fixes the matrix product while a step runs, not while a caller has the result of one."""
    try:
        while True:
            with fixing_product(onednn):
                step = next(steps, None)
            if step is None:
                return
            yield step
    finally:
        steps.close()
