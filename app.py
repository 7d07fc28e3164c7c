"""Starts AttAttr Explorer: ``python app.py``."""

import argparse
import os

# A start without network calls: set before the libraries are imported.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from attattr_core.ui import PAGE_STYLE, build_app

FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="AttAttr Explorer: which attention made the decision?")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, or GRADIO_SERVER_NAME)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860, or GRADIO_SERVER_PORT)")
    parser.add_argument("--share", action="store_true", help="make a temporary public link")
    return parser.parse_args()


def launch(app: gr.Blocks, **options: object) -> object:
    """Serves the app; options are those of ``gr.Blocks.launch``."""
    settings = {
        "theme": gr.themes.Base(primary_hue="orange", neutral_hue="slate", font=FONT, font_mono=MONO),
        "css_paths": [PAGE_STYLE],
        "max_file_size": "256mb",
        "run_history": False,
        "enable_monitoring": False,
        "strict_cors": True,
        "ssr_mode": False,
    }
    return app.queue(max_size=64).launch(**settings | options)


if __name__ == "__main__":
    arguments = parse_arguments()
    launch(build_app(), server_name=arguments.host, server_port=arguments.port, share=arguments.share)
