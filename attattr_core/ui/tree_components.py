"""The tree view and the charts below it: ``gr.HTML`` components whose scripts and styles are plain files."""

import gradio as gr

from attattr_core.ui.view_component import STATIC, read_script, read_style

_SHARED = ("05_dom.js", "10_scales.js")


def tree_view(value: str = "") -> gr.HTML:
    """Builds the tree view; its values come from `attattr_core.ui.tree_payload.build_tree_payload`.

    Returns:
        The component; it triggers ``export_tree`` with ``format``, ``run`` and ``view``, and ``show_heatmaps``.
    """
    return _build(value, "tree", '<div class="aa-root aa-tree" data-testid="tree"></div>', "tree")


def chart(kind: str, value: str = "") -> gr.HTML:
    """Builds a chart: ``"curves"`` of the shown input, ``"means"`` over a data set, or the receptive ``"field"``.

    Returns:
        The component; it triggers ``measure``, ``stop_measure``, and ``export_curves`` with ``format``.
    """
    template = f'<div class="aa-root aa-chart" data-kind="{kind}" data-testid="{kind}"></div>'
    return _build(value, "curves", template, kind)


def _build(value: str, folder: str, template: str, name: str) -> gr.HTML:
    shared = [(STATIC / file).read_text(encoding="utf-8") for file in _SHARED]
    return gr.HTML(
        value,
        html_template=template,
        css_template=read_style("base.css", "tree/tree.css", "curves/curves.css"),
        js_on_load="\n".join([*shared, read_script(STATIC / "shared"), read_script(STATIC / folder)]),
        apply_default_css=False,
        elem_id=name,
    )
