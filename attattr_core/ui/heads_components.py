"""The view of head importance and pruning: a ``gr.HTML`` component whose script and style are plain files."""

import gradio as gr

from attattr_core.ui.view_component import small_view


def heads_view(value: str = "") -> gr.HTML:
    """Builds the view; its values come from `attattr_core.ui.heads_payload`.

    Returns:
        The component; it triggers ``show_heatmaps``, ``measure_heads``, ``save_smaller`` with ``run``, ``method``,
        ``direction`` and ``n``, and ``export_heads`` with ``format``, ``picture``, ``run`` and ``view``.
    """
    template = '<div class="aa-root aa-heads" data-testid="heads"></div>'
    scripts = ("curves/10_svg.js", "curves/20_parts.js", "heads")
    styles = ("heatmaps.css", "tree/tree.css", "curves/curves.css", "heads/heads.css")
    return small_view("heads", template, value, scripts=scripts, styles=styles)
