"""The triggers view and one's own text: ``gr.HTML`` components whose scripts and styles are plain files."""

import gradio as gr

from attattr_core.ui.view_component import small_view

_PICTURES = ("20_payload.js", "25_maps.js", "40_grid.js", "45_plate.js", "50_matrix.js")
_SCRIPTS = (*_PICTURES, "curves/10_svg.js", "curves/20_parts.js", "triggers")
_STYLES = ("heatmaps.css", "tree/tree.css", "curves/curves.css", "triggers/triggers.css")


def triggers_view(value: str = "") -> gr.HTML:
    """Builds the table of triggers with their results; its values come from `attattr_core.ui.triggers_payload`.

    Returns:
        The component; it triggers ``export_triggers`` and ``use_flip``.
    """
    return _build("triggers", value)


def trial_view() -> gr.HTML:
    """Builds the place where words are put into the header's text.

    Returns:
        The component; it triggers ``compare``, ``stop_compare``, ``open_result`` and ``export_trial``.
    """
    return _build("trial", "")


def _build(kind: str, value: str) -> gr.HTML:
    template = f'<div class="aa-root aa-triggers" data-kind="{kind}" data-testid="{kind}-view"></div>'
    return small_view(f"{kind}-part", template, value, scripts=_SCRIPTS, styles=_STYLES)
