"""The page: header, result, tabs, and what is wired to what."""

from importlib.metadata import version
from pathlib import Path

import gradio as gr

from attattr_core.catalog import EMBEDDED, read_labels
from attattr_core.quadrature import RULES
from attattr_core.settings import BASELINES, DEFAULT_TOLERANCE, FUNCTIONS
from attattr_core.ui.components import build_downloader, build_status
from attattr_core.ui.examples import EXAMPLES, FIRST
from attattr_core.ui.exports import export_view
from attattr_core.ui.running import (
    FIXED,
    PREDICTED,
    TOLERANCE,
    find_first_session,
    open_result,
    run_attribution,
    run_example,
    stop_run,
)
from attattr_core.ui.view_component import heatmap_view

_MODEL_WORK = {"concurrency_id": "model", "concurrency_limit": 1}
_PRIVATE = {"show_progress": "hidden", "api_visibility": "private"}
_CACHE = (3600, 3600)  # seconds: uploaded files are looked for this often and live this long
_ABOUT = Path(__file__).parent / "static" / "page" / "about.md"


def build_app() -> gr.Blocks:
    """Builds the whole app; nothing heavy is loaded before the first run."""
    first_model, first_text, first_pair = EXAMPLES[FIRST]
    first = find_first_session()
    with gr.Blocks(title="AttAttr Explorer", analytics_enabled=False, fill_width=True, delete_cache=_CACHE) as app:
        gr.Markdown(
            "# AttAttr Explorer\nWhich attention inside this Transformer made the decision?", elem_classes="aa-title"
        )
        session = gr.State(None, time_to_live=3600)
        with gr.Row():
            with gr.Column(scale=4, min_width=340):
                model = gr.Dropdown(_list_models(), value=first_model, label="Checkpoint", elem_id="model")
                target = gr.Dropdown(
                    _list_targets(first_model),
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
                opener = gr.UploadButton("Open result file", file_types=[".npz", ".json"], size="md", elem_id="open")
        with gr.Accordion("More: baseline, F, tolerance, nodes", open=False, elem_id="more"):
            settings = _build_settings()
        examples = gr.Examples(
            [list(example) for example in EXAMPLES.values()],
            inputs=[model, text, pair],
            example_labels=list(EXAMPLES),
            label="Examples",
            elem_id="examples",
            api_visibility="private",
        )
        status = build_status()
        with gr.Tabs():
            with gr.Tab("Heatmaps", id="heatmaps"):
                view = heatmap_view(first.build_message() if first else "")
            with gr.Tab("About", id="about"):
                gr.Markdown(f"{_ABOUT.read_text(encoding='utf-8')}\n{_list_versions()}", latex_delimiters=[])
        download = build_downloader()

        inputs, outputs = [model, text, pair, target, *settings], [view, status, session]
        # The button rests while its run lasts; "multiple", since with "once" the page takes no run after a stop.
        rested = gr.on(
            [run.click, text.submit, pair.submit], _rest, None, run, queue=False, trigger_mode="multiple", **_PRIVATE
        )
        job = rested.then(
            run_attribution,
            inputs,
            outputs,
            api_name="attribute",
            show_progress="hidden",
            trigger_mode="multiple",
            **_MODEL_WORK,
        )
        job.then(_wake, None, run, queue=False, **_PRIVATE)
        example_job = examples.load_input_event.then(
            run_example,
            [model, text, pair, *settings],
            [*outputs, target],
            trigger_mode="multiple",
            **_MODEL_WORK,
            **_PRIVATE,
        )
        stop.click(stop_run, session, outputs, cancels=[job, example_job], queue=False, **_PRIVATE)
        stop.click(_wake, None, run, queue=False, **_PRIVATE)
        model.change(_update_target, [model, target], target, **_PRIVATE)
        opener.upload(open_result, opener, outputs, **_PRIVATE)
        view.export(export_view, session, [download, status], **_PRIVATE)
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
        rule = gr.Dropdown(list(RULES), value=RULES[0], label="Rule", elem_id="rule")
    return [function, baseline, precision, tolerance, n_steps, rule]


def _list_versions() -> str:
    packages = ("torch", "transformers", "gradio")
    return "### Versions\n\n" + " · ".join(f"{name} {version(name)}" for name in packages)


def _list_models() -> list[tuple[str, str]]:
    return [(f"{name}: {' / '.join(read_labels(name))}", name) for name in EMBEDDED]


def _list_targets(model: str) -> list[str]:
    return [PREDICTED, *read_labels(model)]


def _rest() -> gr.Button:
    return gr.Button(interactive=False)


def _wake() -> gr.Button:
    return gr.Button(interactive=True)


def _update_target(model: str, target: str) -> gr.Dropdown:
    choices = _list_targets(model)
    return gr.Dropdown(choices, value=target if target in choices else PREDICTED)
