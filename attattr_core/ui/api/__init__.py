"""The app for programs: endpoints with names and types, for gradio_client, plain HTTP and, on request, MCP."""

from attattr_core.ui.api.heads import HeadEndpoints
from attattr_core.ui.api.offering import offer
from attattr_core.ui.api.texts import TextEndpoints
from attattr_core.ui.api.triggers import TriggerEndpoints
from attattr_core.ui.models import Models
from attattr_core.ui.running import is_long_run
from attattr_core.ui.turns import DOWNLOADS, LONG_WORK, QUESTIONS, SHORT_WORK

__all__ = ["offer_endpoints"]


def offer_endpoints(models: Models) -> None:
    """Adds the endpoints to the app that is being built.

    Args:
        models: What the server offers, and its limits.
    """
    texts, heads, triggers = TextEndpoints(models), HeadEndpoints(models), TriggerEndpoints(models)
    offer(texts.list_models, **QUESTIONS)
    offer(texts.load, **DOWNLOADS)
    for endpoint in (texts.attribute, texts.tree):
        offer(endpoint, limits=models.page, is_long=is_long_run, **SHORT_WORK)
    for endpoint in (heads.head_importance, heads.prune, triggers.mine_triggers, triggers.evaluate_triggers):
        offer(endpoint, limits=models.page, is_long=True, **LONG_WORK)
