"""The interactive result view: one ``gr.HTML`` component whose script and style are plain files."""

from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "static"
_DOM = ("05_dom.js", "07_share.js", "08_table.js", "10_scales.js")
TEMPLATE = '<div class="aa-root aa-view" data-testid="attattr-view"></div>'


def read_script(folder: Path = STATIC) -> str:
    """Joins the JavaScript files of a folder, in name order, into the body of one function.

    Args:
        folder: Folder that holds the ``.js`` files.

    Returns:
        The source text.
    """
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.js")))


def read_style(*names: str) -> str:
    """Joins style sheets of the static folder."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def heatmap_view(value: str = "") -> gr.HTML:
    """Builds the view of attention and attribution maps.

    A factory rather than a subclass, because Gradio writes a stub beside the source of every subclass. The template
    is constant: text of users arrives in ``value`` and reaches the page only as text.

    Args:
        value: A message as a JSON string, or "" when there is no result yet.

    Returns:
        The component; it takes later messages as its value and triggers ``export`` with ``format`` and ``view``.
    """
    return gr.HTML(
        value,
        html_template=TEMPLATE,
        css_template=read_style("base.css", "heatmaps.css"),
        js_on_load=read_script(),
        apply_default_css=False,
        elem_id="heatmaps",
    )


def small_view(
    name: str, template: str, value: str = "", *, scripts: tuple[str, ...], styles: tuple[str, ...]
) -> gr.HTML:
    """Builds another view of the page.

    Args:
        name: Its element's id.
        template: Constant markup.
        value: Its first message, a JSON string, or "".
        scripts: Scripts, or folders of them, joined in this order after what every view has.
        styles: Style sheets beside ``base.css``.

    Returns:
        The component; like `heatmap_view`, it takes messages as its value and shows texts as text only.
    """
    paths = [STATIC / script for script in (*_DOM, "shared", *scripts)]
    sources = [read_script(path) if path.is_dir() else path.read_text(encoding="utf-8") for path in paths]
    return gr.HTML(
        value,
        html_template=template,
        css_template=read_style("base.css", *styles),
        js_on_load="\n".join(sources),
        apply_default_css=False,
        elem_id=name,
    )
