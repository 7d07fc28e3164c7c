"""The options of long jobs that say who does the work: this process, or workers of a Ray cluster."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attattr_core.errors import UserError

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.cluster.workers import Workers

ENGINES = ("local", "ray")
_OPTIONS = ("address", "num_workers", "num_gpus_per_worker", "num_cpus_per_worker")


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options, in a group of their own."""
    group = parser.add_argument_group("many machines")
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="who works: this process, or workers of Ray, an optional extra, with the same result (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--address",
        help="ray: the cluster, auto for the one that this machine is part of (default: this machine alone)",
    )
    group.add_argument(
        "--num-workers", type=int, metavar="N", help="ray: how many (default: as many as there is room for)"
    )
    group.add_argument(
        "--num-gpus-per-worker",
        type=float,
        metavar="N",
        help="ray: 0, 1 or a share such as 0.5 (default: 1 where there are GPUs)",
    )
    group.add_argument(
        "--num-cpus-per-worker", type=int, metavar="N", help="ray: processors, and so threads, of each (default: 1)"
    )


def check_engine(options: argparse.Namespace) -> None:
    """Raises UserError for options that do not go together, or when Ray is asked for and not installed."""
    given = [f"--{name.replace('_', '-')}" for name in _OPTIONS if getattr(options, name) is not None]
    if options.engine == "local":
        if given:
            verb = "belongs" if len(given) == 1 else "belong"
            raise UserError(f"{' and '.join(given)} {verb} to --engine ray: give that as well.")
        return
    if options.device is not None:
        raise UserError("--device belongs to --engine local: with ray, --num-gpus-per-worker says where workers run.")
    from attattr_core.cluster.ray_workers import check_ray

    check_ray()
    _read_crew(options)


def choose_place(options: argparse.Namespace) -> str | None:
    """The device for the checkpoint of this process, which Ray's workers leave nothing but the tokenizing to."""
    return options.device if options.engine == "local" else "cpu"


@contextmanager
def hiring(checkpoint: "Checkpoint", options: argparse.Namespace) -> "Iterator[Workers | None]":
    """Gives the workers that the options ask for; None for this process.

    Raises:
        UserError: When there is no such cluster or it has no room for them.
    """
    if options.engine == "local":
        yield None
        return
    from attattr_core.cluster.ray_workers import RayWorkers, connecting

    with connecting(options.address):
        workers = RayWorkers(checkpoint, _read_crew(options))
        print(f"Ray: {workers.crew}", file=sys.stderr)
        yield workers


def _read_crew(options: argparse.Namespace) -> Any:
    from attattr_core.cluster.ray_workers import Crew

    num_cpus = 1 if options.num_cpus_per_worker is None else options.num_cpus_per_worker
    return Crew(options.num_workers, options.num_gpus_per_worker, num_cpus)
