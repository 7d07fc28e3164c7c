"""What the endpoints answer. While work lasts they say how far it is; the last answer has ``status`` ``"done"``."""

from typing import Any, Literal, TypedDict


class Answer(TypedDict, total=False):
    """How far work is: ``n_done`` of ``n_total`` of a unit; and what there is to know about the data, or the line."""

    status: Literal["waiting", "running", "done"]
    n_done: int
    n_total: int
    unit: str
    notice: str


class ModelEntry(TypedDict):
    """One checkpoint of the list; ``labels`` are null where their order is to be probed."""

    id: str
    about: str
    is_pair: bool
    labels: list[str] | None
    is_embedded: bool


class ModelList(Answer, total=False):
    """The list of models."""

    models: list[ModelEntry]
    takes_other_models: bool
    limits: dict[str, Any]


class Loaded(Answer, total=False):
    """What is on the server now."""

    name: str
    revision: str
    labels: list[str]


class Entry(TypedDict):
    """One entry of an attribution."""

    layer: int
    head: int
    receiver: int
    sender: int
    attention: float
    attribution: float


class Attributed(Answer, total=False):
    """An attribution."""

    seconds: float
    device: str
    converged: list[bool]
    strongest: list[Entry]
    result: dict[str, Any]


class Tree(Answer, total=False):
    """An attribution tree."""

    tree: dict[str, Any]


class Importance(Answer, total=False):
    """Head importance."""

    importance: dict[str, Any]


class Study(Answer, total=False):
    """Pruning curves."""

    study: dict[str, Any]


class Triggers(Answer, total=False):
    """Mined triggers."""

    triggers: list[dict[str, Any]]


class TriggerStudy(Answer, total=False):
    """What triggers do."""

    study: list[dict[str, Any]]


def tell_progress(n_done: int, n_total: int, unit: str, notice: str = "") -> Any:
    """An answer while work lasts."""
    return {"status": "running", "n_done": n_done, "n_total": n_total, "unit": unit, "notice": notice}


def tell_waiting(notice: str) -> Any:
    """An answer before work begins: how many jobs go first."""
    return {"status": "waiting", "notice": notice}


def tell_done(notice: str = "", **content: Any) -> Any:
    """The last answer."""
    return {"status": "done", "notice": notice, **content}
