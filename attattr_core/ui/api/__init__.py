"""The app for programs: endpoints with names and types, for gradio_client, plain HTTP and, on request, MCP."""

from attattr_core.ui.api.heads import HeadEndpoints
from attattr_core.ui.api.offering import offer
from attattr_core.ui.api.texts import TextEndpoints
from attattr_core.ui.api.triggers import TriggerEndpoints
from attattr_core.ui.models import Models
from attattr_core.ui.running import is_long_run
from attattr_core.ui.turns import LONG_WORK, SHORT_WORK

__all__ = ["offer_endpoints"]

# The queues of the page: what a program asks for takes turns with what visitors do.
_DOWNLOADS = {"concurrency_id": "download", "concurrency_limit": 2}
_QUESTIONS = {"concurrency_id": "hub", "concurrency_limit": 8}


def offer_endpoints(models: Models) -> None:
    """Adds the endpoints to the app that is being built.

    Args:
        models: What the server offers, and its limits.
    """
    texts, heads, triggers = TextEndpoints(models), HeadEndpoints(models), TriggerEndpoints(models)
    offer(texts.list_models, **_QUESTIONS)
    offer(texts.load, **_DOWNLOADS)
    for endpoint in (texts.attribute, texts.tree):
        offer(endpoint, limits=models.page, is_long=is_long_run, **SHORT_WORK)
    for endpoint in (heads.head_importance, heads.prune, triggers.mine_triggers, triggers.evaluate_triggers):
        offer(endpoint, limits=models.page, is_long=True, **LONG_WORK)
