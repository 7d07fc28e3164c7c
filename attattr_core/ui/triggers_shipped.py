"""Triggers that come with the embedded checkpoints, and those of a file."""

import secrets
from dataclasses import replace
from functools import cache
from pathlib import Path

from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.errors import UserError
from attattr_core.triggers.files import load_triggers
from attattr_core.triggers.study_files import find_studies, load_study
from attattr_core.ui.triggers_mined import gather
from attattr_core.ui.triggers_payload import Shown

MAX_TRIGGERS = 2000  # of a file; the page sorts and draws them all


@cache
def find_shipped(name: str) -> Shown | None:
    """Finds what comes with a checkpoint: triggers and figures of each way of mining; None where there is nothing."""
    paths = find_studies(name) if name in EMBEDDED else {}
    mined = {mode: gather(load_triggers(path), load_study(path), origin="precomputed") for mode, path in paths.items()}
    return Shown(f"shipped-{name}", "idle", mined, has_shipped=True) if mined else None


def read_file(path: Path, labels: tuple[str, ...]) -> Shown:
    """Reads a file of triggers, ours or the authors', with what they do where it says so.

    Args:
        path: The file; it is not trusted.
        labels: Class names where the file has none.

    Raises:
        UserError: When it is something else, or holds too much for the page.
    """
    triggers = load_triggers(path)
    if len(triggers.triggers) > MAX_TRIGGERS:
        raise UserError(
            f"{path.name[:80]!r} has {len(triggers.triggers):,} triggers: the page shows up to {MAX_TRIGGERS:,}; "
            "evaluate them on the command line."
        )
    if not triggers.triggers:
        raise UserError(f"{path.name[:80]!r} holds no triggers: mine some.")
    try:
        study = load_study(path)
    except UserError:  # triggers alone
        study = None
    triggers = replace(triggers, labels=triggers.labels or labels, mode=triggers.mode or "opened")
    mined = gather(triggers, study, origin="opened", file=path.name)
    return Shown(secrets.token_hex(6), "idle", {triggers.mode: mined}, triggers.mode)
