"""Workers on the machines of a Ray cluster: Ray's scheduling, retries and object store.

Each worker is an actor that loads the checkpoint once. Ray starts one anew that was killed and gives it the shard that
it had, which is all that is lost. Nothing here is imported before somebody asks for Ray, which is an optional extra.
"""

import logging
import os
import secrets
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.worker import Worker, find_source
from attattr_core.cluster.workers import Run, Step, Work
from attattr_core.errors import UserError

N_RETRIES = 3  # of a shard whose worker died: a machine may fail, but what kills every worker is the shard
_N_QUEUED = 2  # shards a worker has at a time, so that it never waits for the next one
_PACKAGE = Path(__file__).resolve().parents[1]
_SENT = (_PACKAGE.name, "assets")  # to the machines of a cluster
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the new behaviour, without the warning about the old one
}


@dataclass(frozen=True)
class Crew:
    """How many workers there are, and what each one has.

    Attributes:
        n_workers: How many; None for as many as the cluster has room for.
        num_gpus: GPUs of each, from 0 to 1: a share where several use one; None for one each where there are any.
        num_cpus: Processors, and so threads, of each.
    """

    n_workers: int | None = None
    num_gpus: float | None = None
    num_cpus: int = 1

    def __post_init__(self) -> None:
        if self.n_workers is not None and self.n_workers < 1:
            raise UserError(f"The number of workers is {self.n_workers}: choose 1 or more.")
        if self.num_gpus is not None and not 0 <= self.num_gpus <= 1:
            raise UserError(f"The GPUs of a worker are {self.num_gpus:g}: choose 0, 1 or a share between.")
        if self.num_cpus < 1:
            raise UserError(f"The processors of a worker are {self.num_cpus}: choose 1 or more.")

    def fit(self, resources: dict[str, float]) -> "Crew":
        """Fits the open numbers to what a cluster has.

        Raises:
            UserError: When it has no room for so many workers, or for one.
        """
        n_gpus, n_cpus = resources.get("GPU", 0.0), int(resources.get("CPU", 0))
        num_gpus = float(n_gpus > 0) if self.num_gpus is None else self.num_gpus
        rooms = [n_cpus // self.num_cpus] + ([int(n_gpus / num_gpus + 1e-9)] if num_gpus else [])
        fitted = Crew(self.n_workers or max(1, min(rooms)), num_gpus, self.num_cpus)
        if fitted.n_workers > min(rooms):
            raise UserError(
                f"There is no room for {fitted} in a cluster of {n_cpus} processors and {n_gpus:g} GPUs: choose fewer "
                "workers, or smaller ones."
            )
        return fitted

    def __str__(self) -> str:
        gpus = f" and {self.num_gpus:g} GPU" if self.num_gpus else ""
        workers, processors = ("s" * (number != 1) for number in (self.n_workers, self.num_cpus))
        return f"{self.n_workers} worker{workers} of {self.num_cpus} processor{processors}{gpus}"


def check_ray() -> None:
    """Raises UserError when Ray is not installed."""
    if find_spec("ray") is None:
        raise UserError('Ray is not installed: pip install "ray>=2.40,<3", or leave --engine ray out.')


@contextmanager
def connecting(address: str | None) -> Iterator[None]:
    """Starts a Ray of this machine alone, or joins a cluster; stops or leaves it in the end.

    Args:
        address: None for this machine; ``"auto"`` for the cluster that this machine is part of, else its address. Its
            machines get this package from here, and need what it needs.

    Raises:
        UserError: When Ray is not installed or does not answer.
    """
    check_ray()
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    is_read = "ray" in sys.modules or "RAY_AUTH_MODE" in os.environ  # Ray reads it when it is imported
    if address is None and not is_read:  # its ports answer nobody but its own processes
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    import ray

    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address is None:
            ray.init(address="local", include_dashboard=False, **quiet)
        else:
            ray.init(address=address, runtime_env=_pack(_PACKAGE.parent), **quiet)
    except Exception as error:  # of many kinds, from its own to the file system's
        where = "on this machine" if address is None else f"at {address[:80]!r}"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(" .:")
        raise UserError(f"There is no Ray {where} to work with: {reason}.") from error
    try:
        yield
    finally:
        ray.shutdown()


def _pack(folder: Path) -> dict[str, Any]:
    """What the machines of a cluster get; the excludes are written as in .gitignore."""
    others = [f"/{path.name}" for path in folder.iterdir() if path.name not in _SENT]
    return {"working_dir": str(folder), "excludes": [*others, "/assets/pictures", "__pycache__"]}


class RayWorkers:
    """Workers of the cluster that `connecting` joined."""

    def __init__(self, checkpoint: Checkpoint, crew: Crew | None = None) -> None:
        """Starts workers, which load the checkpoint by name and revision when they get their first shard.

        Args:
            checkpoint: The classifier, here for its tokenizer and configuration only.
            crew: How many workers.

        Raises:
            UserError: When the cluster has no room for them, or the checkpoint has no revision to find it by.
        """
        import ray

        source = find_source(checkpoint)
        self.crew = (crew or Crew()).fit(ray.cluster_resources())
        actor = ray.remote(Worker).options(
            num_cpus=self.crew.num_cpus,
            num_gpus=self.crew.num_gpus,
            max_restarts=-1,
            max_task_retries=N_RETRIES,
        )
        self._actors = [actor.remote(source, self.device_type, self.crew.num_cpus) for _ in range(self.crew.n_workers)]

    @property
    def device_type(self) -> str:
        """``"cuda"`` where workers have GPUs, else ``"cpu"``."""
        return "cuda" if self.crew.num_gpus else "cpu"

    def start(self, prepare: Callable[[Checkpoint], Work], *, onednn: bool) -> Run:
        """Begins a job (see `attattr_core.cluster.workers.Workers.start`); what all shards share is sent once."""
        import ray

        job = [ray.put(prepare)]  # in a list, so that a worker fetches it once and not for each shard

        def run(shards: Iterable[tuple]) -> Generator[Step]:
            waiting = enumerate(shards)
            running: dict[Any, tuple[int, Any]] = {}

            def submit(actor: Any) -> None:
                for number, shard in islice(waiting, 1):
                    running[actor.work.remote(job, onednn, shard)] = number, actor

            try:
                for actor in self._actors * _N_QUEUED:
                    submit(actor)
                while running:
                    (done,), _ = ray.wait(list(running))
                    number, actor = running.pop(done)
                    result = fetch(done)
                    submit(actor)
                    yield Step(number, 1.0, result)
            finally:
                for task in running:
                    ray.cancel(task)

        return run


def fetch(task: Any) -> Any:
    """Fetches the result of a task; what went wrong for the user there is said here.

    Raises:
        UserError: Of the worker, when it could not begin, or when every worker died of the shard.
    """
    import ray

    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from error
        raise
    except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
        if getattr(error, "actor_init_failed", False):
            reason = str(error).strip().splitlines()[-1][:200].rstrip(" .")
            raise UserError(
                f"A worker could not begin ({reason}): install requirements.txt in the same versions on every machine."
            ) from error
        raise UserError(
            f"{1 + N_RETRIES} workers died one after the other of the same examples, probably for lack of memory: "
            "choose fewer workers for each machine."
        ) from error
