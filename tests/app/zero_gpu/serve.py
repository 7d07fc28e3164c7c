"""Starts the app as on ZeroGPU, drives it, and prints what came of it: ``python serve.py a-hub-id``."""

import json
import sys

import spaces
from gradio_client import Client

from app import build_models, launch, parse_arguments
from attattr_core.ui import build_app

SETTINGS = ("predicted", "probability", "zero", "fixed nodes", 0.01, 2, "gauss-legendre")


def main(name: str) -> None:
    models = build_models(parse_arguments([]))
    app = build_app(models)
    _, url, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    client = Client(url, verbose=False)
    client.predict(name, api_name="/page_load")
    found = {"asked": spaces.asked, "results": [], "sentences": []}
    for model, text in ((name, "A quiet film."), ("snli", "A dog runs."), ("sst2", "")):
        view, status = client.predict(model, text, "", *SETTINGS, api_name="/page_run")
        found["results"].append(describe(json.loads(view)) if isinstance(view, str) else None)
        found["sentences"].append(json.loads(status)["text"] if isinstance(status, str) and status else "")
    found["loaded"] = sorted({"torch", "transformers"} & set(sys.modules))
    found["proposals"] = [report.proposal is not None for report in models.reports.values()]
    print(json.dumps(found))
    app.close(verbose=False)


def describe(message: dict) -> dict:
    return {key: message[key] for key in ("model", "labels", "probabilities", "status", "device")}


if __name__ == "__main__":
    main(sys.argv[1])
