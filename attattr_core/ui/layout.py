"""The page: header, result, tabs, and what is on it."""

from importlib.metadata import version
from pathlib import Path

import gradio as gr

from attattr_core.engine.quadrature import RULES
from attattr_core.settings import BASELINES, DEFAULT_TOLERANCE, FUNCTIONS
from attattr_core.ui.api import offer_endpoints
from attattr_core.ui.components import build_device, build_downloader, build_messenger, build_status
from attattr_core.ui.examples import EXAMPLES, FIRST
from attattr_core.ui.heads_tab import build_heads_tab, wire_heads
from attattr_core.ui.labels_panel import build_labels_panel
from attattr_core.ui.link import build_link
from attattr_core.ui.link_wiring import wire_link
from attattr_core.ui.model_picker import PREDICTED, build_card, build_picker, describe_choice
from attattr_core.ui.models import Models
from attattr_core.ui.refusals import CheckedBlocks
from attattr_core.ui.running import AUTOMATIC, FIXED, TOLERANCE, find_first_session
from attattr_core.ui.tree_tab import build_tree_tab, wire_tree
from attattr_core.ui.triggers_tab import build_triggers_tab, wire_triggers
from attattr_core.ui.view_component import heatmap_view
from attattr_core.ui.warming import warm_at_first_visit
from attattr_core.ui.wiring import Page, wire

_ABOUT = Path(__file__).parent / "static" / "page" / "about.md"


def build_app(models: Models | None = None, *, warms: bool = False) -> gr.Blocks:
    """Builds the whole app; nothing heavy is loaded before the first run.

    Args:
        models: Which checkpoints visitors may use; by default all of the Hub within the default limits.
        warms: Whether the first page that is opened loads torch and the embedded checkpoints.
    """
    models = models or Models()
    first_model, first_text, first_pair = EXAMPLES[FIRST]
    first, session = models.find(first_model), find_first_session()
    with CheckedBlocks(title="AttAttr Explorer", analytics_enabled=False, fill_width=True) as app:
        states = [gr.State(value) for value in (None, first, {})]
        with gr.Row(elem_classes="aa-header"):
            gr.Markdown(
                "# AttAttr Explorer\nWhich attention inside this Transformer made the decision?",
                elem_classes="aa-title",
            )
            device = build_device()
        with gr.Row():
            with gr.Column(scale=4, min_width=340):
                model, load = build_picker(models, first)
                target = gr.Dropdown(
                    [PREDICTED, *models.find_labels(first, None)],
                    value=PREDICTED,
                    label="Explain",
                    allow_custom_value=True,  # a client that never chose a model may name any of its labels
                    elem_id="target",
                )
            with gr.Column(scale=7, min_width=320):
                text = gr.Textbox(first_text, label="Sentence A", lines=1, max_lines=6, elem_id="text")
                pair = gr.Textbox(first_pair, label="Sentence B (for pairs)", lines=1, max_lines=6, elem_id="pair")
            with gr.Column(scale=1, min_width=150, elem_classes="aa-actions"):
                run = gr.Button("Run", variant="primary", size="md", elem_id="run")
                stop = gr.Button("Stop", size="md", elem_id="stop")
                opener = gr.UploadButton(
                    "Open result file", file_types=[".npz", ".json", ".zip"], size="md", elem_id="open"
                )
        status, link = build_status(), build_link(first.text)
        card = build_card(describe_choice(models, first))
        with gr.Row(elem_classes="aa-folds"):
            with gr.Column(min_width=320):
                labels = build_labels_panel(models, first)
            with (
                gr.Column(min_width=320),
                gr.Accordion("More: baseline, F, tolerance, nodes", open=False, elem_id="more"),
            ):
                settings = _build_settings()
        examples = gr.Examples(
            [list(example) for example in EXAMPLES.values()],
            inputs=[model, text, pair],
            example_labels=list(EXAMPLES),
            label="Examples",
            elem_id="examples",
            api_visibility="private",
        )
        with gr.Tabs() as tabs:
            with gr.Tab("Heatmaps", id="heatmaps") as heatmaps_part:
                view = heatmap_view(session.build_message() if session else "")
            with gr.Tab("Tree", id="tree") as tree_part:
                tree_tab = build_tree_tab()
            with gr.Tab("Heads", id="heads") as heads_part:
                heads_tab = build_heads_tab(first)
            with gr.Tab("Triggers", id="triggers", elem_id="triggers-tab") as triggers_part:
                triggers_tab = build_triggers_tab(models, first)
            with gr.Tab("About", id="about") as about_part:
                gr.Markdown(
                    f"{_ABOUT.read_text(encoding='utf-8')}\n{_list_versions()}",
                    latex_delimiters=[],
                    elem_id="about-text",
                )
        page = Page(
            *(*states, device, model, load, target, text, pair, run, stop, opener, card, labels, settings, examples),
            *(status, view, build_downloader(), build_messenger(), link),
        )
        offer_endpoints(models)
        wire(app, models, page)
        if warms:
            warm_at_first_visit(app)
        wire_tree(models, page, tabs, tree_tab)
        wire_heads(models, page, tabs, heads_tab)
        wire_triggers(app, models, page, tabs, triggers_tab)
        parts = [heatmaps_part, tree_part, heads_part, triggers_part, about_part]
        wire_link(models, page, tabs, parts, heads_tab.fields, [*triggers_tab.numbers, triggers_tab.second])
    return app


def _build_settings() -> list[gr.components.Component]:
    """The fields of `attattr_core.settings.Settings`, in the order that `run_attribution` takes them."""
    with gr.Row():
        function = gr.Dropdown(list(FUNCTIONS), value=FUNCTIONS[0], label="F, what is explained", elem_id="function")
        baseline = gr.Dropdown(list(BASELINES), value=BASELINES[0], label="Baseline attention", elem_id="baseline")
        precision = gr.Radio([TOLERANCE, FIXED], value=TOLERANCE, label="Quadrature", elem_id="precision")
        tolerance = gr.Number(
            DEFAULT_TOLERANCE, label="Tolerance (share of F(A) − F(A′))", step=0.005, elem_id="tolerance"
        )
        n_steps = gr.Number(64, label="Nodes (when fixed)", elem_id="nodes")
        rule = gr.Dropdown([AUTOMATIC, *RULES], value=AUTOMATIC, label="Rule", elem_id="rule")
    return [function, baseline, precision, tolerance, n_steps, rule]


def _list_versions() -> str:
    packages = ("torch", "transformers", "gradio")
    return "## Versions\n\n" + " · ".join(f"{name} {version(name)}" for name in packages)
