"""What a model is, from metadata and configurations alone: everything that may be refused before a download is."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from attattr_core.checkpoints.adapters import ADAPTER_CONFIG, read_base, vet_adapter
from attattr_core.checkpoints.catalog import EMBEDDED, check_labels
from attattr_core.checkpoints.curated import read_curated
from attattr_core.checkpoints.vetting import HEAD, MAX_LABELS, list_weights, vet_config
from attattr_core.errors import UserError
from attattr_core.hub.cache import RemoteFile, is_sha
from attattr_core.hub.client import Deadline
from attattr_core.hub.files import count_weight_bytes, is_adapter, select_files
from attattr_core.hub.limits import HubLimits
from attattr_core.hub.reference import Reference, is_revision, parse_hub_id
from attattr_core.hub.sources import Source, find_repository, open_folder


@dataclass(frozen=True)
class Description:
    """A model that passed every check that needs no weights.

    Attributes:
        name: The embedded name, the folder, or the id that the Hub gives it now.
        revision: The commit on the Hub, 40 hexadecimal digits; "" for what is on disk.
        asked_revision: The branch, tag or commit that was asked for.
        url: Its page at that commit, or "".
        model_type: Its family.
        architecture: The class in its configuration.
        labels: Label names by class index; () for an adapter that does not name them.
        id2label: As its configuration has it.
        label2id: As its configuration has it.
        problem_type: As its configuration has it, or None.
        files: What has to be downloaded of the model itself.
        base: The base of an adapter, or None.
        notice: What a person should know, one or two sentences, or "".
        folder: Where it is on disk, for what is not from the Hub.
        is_cached: Whether the Hub was not asked: what is in the cache has to do.
        repo_type: What the Hub calls it.
    """

    name: str
    revision: str
    asked_revision: str
    url: str
    model_type: str
    architecture: str
    labels: tuple[str, ...]
    id2label: Any
    label2id: Any
    problem_type: str | None
    files: tuple[RemoteFile, ...] = ()
    base: "Description | None" = None
    notice: str = ""
    folder: Path | None = None
    is_cached: bool = False
    repo_type: str = "model"

    @property
    def n_bytes(self) -> int:
        """Size of all files that it needs from the Hub, its base's among them."""
        return sum(file.n_bytes for file in self.files) + (self.base.n_bytes if self.base else 0)


def describe(
    reference: Reference, *, limits: HubLimits | None = None, has_head: bool = True, is_attributed: bool = True
) -> Description:
    """Finds a model and vets it, asking the Hub for metadata and small files only, for five seconds at most.

    Args:
        reference: From `parse_reference`.
        limits: What may be loaded.
        has_head: Whether it has to be a classifier; what is trained further need not be.
        is_attributed: Whether its family has to be one that can be attributed.

    Returns:
        What it is; for the Hub, pinned to a commit.

    Raises:
        UserError: When there is no such model or it may not be loaded; one sentence with the reason and the way out.
        UnsupportedModelError: When its family cannot be attributed.
    """
    limits, deadline = limits or HubLimits(), Deadline()
    if limits.curated_only and reference.kind != "embedded":
        _refuse_uncurated(reference)
    try:
        source = _find(reference, limits, deadline)
        if limits.curated_only and reference.revision and is_sha(reference.revision):
            main = _find(replace(reference, revision=None), limits, deadline)
            if main.sha != source.sha:
                _refuse_uncurated(replace(reference, revision=source.sha), is_main=False)
        if is_adapter(source.files):
            described = _describe_adapter(source, limits, deadline, is_attributed)
        else:
            described = _describe_model(source, has_head=has_head, is_attributed=is_attributed)
    except UserError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, OSError) as error:  # hostile values
        raise UserError(
            f"The configuration of {reference.name[:80]!r} makes no sense: choose another model."
        ) from error
    if described.n_bytes > limits.max_bytes:
        raise UserError(
            f"{described.name!r} needs {_format_size(described.n_bytes)}, more than the limit of "
            f"{_format_size(limits.max_bytes)}: choose a smaller model, or raise ATTATTR_MAX_MODEL_BYTES."
        )
    return described


def _find(reference: Reference, limits: HubLimits, deadline: Deadline) -> Source:
    return find_repository(reference, limits, deadline) if reference.kind == "hub" else open_folder(reference)


def _describe_model(source: Source, *, has_head: bool, is_attributed: bool) -> Description:
    files = select_files(source.name, source.files) if source.sha else ()
    config = source.read("config.json")
    n_bytes = count_weight_bytes(files) if files else sum(path.stat().st_size for path in list_weights(source.folder))
    vet_config(source.name, config, n_bytes=n_bytes, has_head=has_head, is_attributed=is_attributed)
    return _build(source, files, config, has_head=has_head)


def _describe_adapter(source: Source, limits: HubLimits, deadline: Deadline, is_attributed: bool) -> Description:
    files = select_files(source.name, source.files) if source.sha else ()
    adapter = source.read(ADAPTER_CONFIG)
    vet_adapter(source.name, adapter)
    below = _find(_find_base(source, adapter), limits, deadline)
    if is_adapter(below.files):
        raise UserError(f"The base of {source.name!r} is itself an adapter: choose an adapter of a whole model.")
    base = _describe_model(below, has_head=False, is_attributed=is_attributed)
    has_config = any(file.name == "config.json" for file in source.files)
    config = source.read("config.json") if has_config else {"model_type": base.model_type}
    if has_config:
        vet_config(source.name, config, n_bytes=0, has_head=False, is_attributed=is_attributed)
    notice = " ".join(filter(None, (source.notice, base.notice)))
    described = _build(replace(source, notice=notice), files, config, has_head="id2label" in config)
    return replace(described, architecture=described.architecture or base.architecture, base=base)


def _find_base(source: Source, adapter: dict[str, Any]) -> Reference:
    """An adapter from the Hub stands on a Hub id and never on a path; one on disk may lie beside its base."""
    named, revision = read_base(source.name, adapter)
    if source.folder is not None:
        path = Path(named[:1000])
        beside = source.folder.parent / path.name
        folder = next((place for place in (beside, path) if path.name and place.is_dir()), None)
        if folder is not None:
            return Reference("folder", str(folder))
    try:
        base = parse_hub_id(named)
    except UserError as error:
        raise UserError(
            f"The base {named[:80]!r} of the adapter {source.name!r} is missing: "
            + ("put its folder beside it." if source.folder else "it has to be the id of a model on the Hub.")
        ) from error
    return replace(base, revision=revision) if revision and is_revision(revision) else base


def _build(source: Source, files: tuple[RemoteFile, ...], config: dict[str, Any], *, has_head: bool) -> Description:
    architectures = config.get("architectures") or [""]
    names = [str(name) for name in architectures] if isinstance(architectures, list) else [""]
    return Description(
        name=source.name,
        revision=source.sha,
        asked_revision=source.asked,
        url=f"{constants.ENDPOINT}/{source.name}/tree/{source.sha}" if source.sha else "",
        model_type=str(config.get("model_type")),
        architecture=next((name for name in names if name.endswith(HEAD)), names[0]),
        labels=_read_labels(config) if has_head else (),
        id2label=config.get("id2label"),
        label2id=config.get("label2id"),
        problem_type=config.get("problem_type") if isinstance(config.get("problem_type"), str) else None,
        files=files,
        notice=source.notice,
        folder=source.folder,
        is_cached=source.is_cached,
    )


def _read_labels(config: dict[str, Any]) -> tuple[str, ...]:
    """Names as transformers would give them: two classes where a configuration says nothing."""
    if config.get("id2label") is not None:
        return check_labels(config["id2label"])
    n_labels = 2 if config.get("num_labels") is None else config["num_labels"]
    if not isinstance(n_labels, int) or not 0 < n_labels <= MAX_LABELS:
        raise UserError(f"config.json says that there are {str(n_labels)[:80]} labels: choose another model.")
    return tuple(f"LABEL_{index}" for index in range(n_labels))


def _refuse_uncurated(reference: Reference, *, is_main: bool = True) -> None:
    """What is not the main branch may be anybody's proposal, commits of pull requests too: no list speaks for it."""
    names = tuple(entry.id for entry in read_curated())
    is_listed = reference.kind == "hub" and reference.name in names
    is_main = is_main and (reference.revision in (None, constants.DEFAULT_REVISION) or is_sha(reference.revision))
    if not (is_listed and is_main):
        asked = "@".join(filter(None, (reference.name, reference.revision)))
        raise UserError(
            f"{asked[:160]!r} is not among the models that may be used here: choose one of the {len(names)} "
            f"listed ones, such as {names[0]}, or an embedded one ({', '.join(EMBEDDED)})."
        )


def _format_size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
