"""The tree view and the charts below it: ``gr.HTML`` components whose scripts and styles are plain files."""

import gradio as gr

from attattr_core.ui.view_component import small_view

_STYLES = ("tree/tree.css", "curves/curves.css")


def tree_view(value: str = "") -> gr.HTML:
    """Builds the tree view; its values come from `attattr_core.ui.tree_payload.build_tree_payload`.

    Returns:
        The component; it triggers ``export_tree`` with ``format``, ``run`` and ``view``, and ``show_heatmaps``.
    """
    template = '<div class="aa-root aa-tree" data-testid="tree"></div>'
    return small_view("tree", template, value, scripts=("tree",), styles=_STYLES)


def chart(kind: str, value: str = "") -> gr.HTML:
    """Builds a chart: ``"curves"`` of the shown input, ``"means"`` over a data set, or the receptive ``"field"``.

    Returns:
        The component; it triggers ``measure``, ``stop_measure``, and ``export_curves`` with ``format``.
    """
    template = f'<div class="aa-root aa-chart" data-kind="{kind}" data-testid="{kind}"></div>'
    return small_view(kind, template, value, scripts=("curves",), styles=_STYLES)
