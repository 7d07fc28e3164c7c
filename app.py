"""Starts AttAttr Explorer: ``python app.py``."""

import argparse
import logging
import os
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING

# A start without network calls: set before the libraries are imported.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Torch's threads sleep while they wait for each other: the server and a browser beside them need the cores as well.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# oneDNN keeps a program and its working memory for each length of text: 1,024 of them take 500 MB, 64 are as fast.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
# Gradio sums its events up after each of them, all anew: of fewer, and not each time.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000")

from attattr_core.datasets import APP_LIMITS, DataLimits
from attattr_core.errors import UserError
from attattr_core.hub import HubLimits
from attattr_core.hub.limits import read_switch
from attattr_core.ui import PAGE_HEAD, PAGE_SCRIPT, PAGE_STYLE, Models, build_app, find_cache
from attattr_core.ui.doors import ClosedDoors, close_doors
from attattr_core.ui.ending import end_when, listen_for_end
from attattr_core.ui.health import build_health_route
from attattr_core.ui.limits import SHARED_LIMITS, PageLimits
from attattr_core.ui.mcp_answers import answer_in_json
from attattr_core.ui.refusals import EXPLANATIONS
from attattr_core.ui.spaces import IS_SPACE
from attattr_core.ui.visitors import SECONDS_KEPT, keep_visitors

if TYPE_CHECKING:
    import gradio as gr

FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]
# Files between visitors and the server lie in a folder of this process alone: its name cannot be guessed, no other
# program's files are in it, and it goes when the process ends.
FILES = tempfile.TemporaryDirectory(prefix="attattr-files-", ignore_cleanup_errors=True)
os.environ.setdefault("GRADIO_TEMP_DIR", FILES.name)
# Contrast of at least 4.5 to 1, where the theme's own colours have less.
COLOURS = {
    "color_accent": "*primary_700",
    "body_text_color_subdued": "*neutral_600",
    "block_label_text_color": "*neutral_600",
    "block_title_text_color": "*neutral_600",
    "input_placeholder_color": "*neutral_500",
    "body_text_color_subdued_dark": "*neutral_300",
    "input_placeholder_color_dark": "*neutral_300",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_hover_dark": "*primary_800",
    "button_primary_border_color": "*primary_700",
    "button_primary_border_color_dark": "*primary_700",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Of models, data and the page: where only its owner can ask, and where strangers can.
_OWN = HubLimits(), APP_LIMITS, PageLimits()
_SHARED = HubLimits(1_500_000_000), DataLimits(20_000, 16_000_000), SHARED_LIMITS
_NUMBERS = {
    "max_model_bytes": "largest download for a model",
    "max_data_bytes": "largest data set, uploaded, downloaded, or given as rows in a call",
    "max_data_rows": "most rows of a data set",
    "max_upload_bytes": "largest uploaded file",
    "max_characters": "longest sentence, in characters",
    "max_tokens": "longest text, in tokens; beyond 512 texts are cut",
    "max_visitor_jobs": "jobs of one visitor that wait or go on at a time",
    "max_minutes": "how long one job may compute",
    "max_jobs": "jobs of all visitors that wait or go on at a time",
    "max_result_bytes": "memory for all results that visitors look at; those longest unused are put away",
}
_VARIABLES = """Each option has an environment variable, which it overrides. Without an option of their own are HF_TOKEN
(a token for gated and private models), HF_HOME (where downloads are kept), ATTATTR_DEVICE (auto, cpu, cuda, cuda:1 or
mps) and ATTATTR_CACHE_BYTES (how much of the memory checkpoints may fill)."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="AttAttr Explorer: which attention made the decision?", epilog=_VARIABLES
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1; GRADIO_SERVER_NAME)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860; GRADIO_SERVER_PORT)")
    parser.add_argument("--share", action="store_true", help="make a temporary public link (ATTATTR_SHARE)")
    parser.add_argument(
        "--auth", metavar="USER:PASSWORD", help="ask visitors for these; better in ATTATTR_AUTH, which no list shows"
    )
    parser.add_argument(
        "--models-only-curated",
        action="store_true",
        help="offer the embedded and the listed models only (ATTATTR_MODELS_ONLY_CURATED)",
    )
    for name, meaning in _NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=_describe_number(name, meaning))
    parser.add_argument(
        "--keep-seconds",
        type=int,
        metavar="N",
        help="how long files that visitors upload or have made are kept (default: 3600; ATTATTR_KEEP_SECONDS)",
    )
    parser.add_argument("--offline", action="store_true", help="use what is in the cache only (ATTATTR_OFFLINE)")
    parser.add_argument(
        "--mcp", action="store_true", help="also serve the endpoints as tools of an MCP server (ATTATTR_MCP)"
    )
    return parser.parse_args(arguments)


def _describe_number(name: str, meaning: str) -> str:
    variable = "ATTATTR_MAX_ROWS" if name == "max_data_rows" else f"ATTATTR_{name.upper()}"
    own, shared = (_list_numbers(*limits)[name] for limits in (_OWN, _SHARED))
    return f"{meaning} (default: {own}, {shared} where strangers can ask; {variable})"


def _list_numbers(hub: HubLimits, data: DataLimits, page: PageLimits) -> dict[str, int]:
    """The limits that are numbers, by the names of their options."""
    models = {"max_model_bytes": hub.max_bytes, "max_data_bytes": data.max_bytes, "max_data_rows": data.max_rows}
    return models | asdict(page)


def build_models(arguments: argparse.Namespace) -> Models:
    """Decides what visitors may load: what the limits say, and folders of this machine where nobody else can ask.

    Raises:
        UserError: For a limit that is no limit.
    """
    host = arguments.host or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]
    is_own = host in LOOPBACK and not IS_SPACE and not is_shared(arguments)
    hub, data, page = (type(limits).from_environment(limits) for limits in (_OWN if is_own else _SHARED))
    numbers = _list_numbers(hub, data, page)
    for name in numbers:
        given = getattr(arguments, name)
        if given is not None and given <= 0:
            raise UserError(f"--{name.replace('_', '-')} is {given}: give a number of {name.rpartition('_')[2]}.")
        numbers[name] = given or numbers[name]
    hub = HubLimits(
        numbers.pop("max_model_bytes"),
        offline=hub.offline or arguments.offline,
        curated_only=hub.curated_only or arguments.models_only_curated,
    )
    data = DataLimits(numbers.pop("max_data_rows"), numbers.pop("max_data_bytes"))
    return Models(hub, folders=is_own, data=data, page=PageLimits(**numbers))


def read_seconds_kept(arguments: argparse.Namespace) -> int:
    """Reads how long visitors' files are kept.

    Raises:
        UserError: When that is no number of seconds.
    """
    given = arguments.keep_seconds if arguments.keep_seconds is not None else os.environ.get("ATTATTR_KEEP_SECONDS")
    text = str(SECONDS_KEPT if given in (None, "") else given).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) == 0:
        raise UserError(f"--keep-seconds (or ATTATTR_KEEP_SECONDS) is {text[:80]!r}: give a number such as 3600.")
    return int(text)


def is_shared(arguments: argparse.Namespace) -> bool:
    """Tells whether a public link is wanted.

    Raises:
        UserError: When ATTATTR_SHARE is neither yes nor no.
    """
    return arguments.share or read_switch("ATTATTR_SHARE")


def read_auth(arguments: argparse.Namespace) -> tuple[str, str] | None:
    """Reads who may enter.

    Raises:
        UserError: When it is not a name and a password; the sentence repeats neither.
    """
    given = arguments.auth if arguments.auth is not None else os.environ.get("ATTATTR_AUTH", "")
    if arguments.auth is None and not given:
        return None
    user, separator, password = given.partition(":")
    if not (user and separator and password):
        raise UserError("--auth (or ATTATTR_AUTH) is not of the form USER:PASSWORD: give both, with a colon between.")
    return user, password


def wants_mcp(arguments: argparse.Namespace) -> bool:
    """Tells whether the endpoints are to be tools of an MCP server too.

    Raises:
        UserError: When the package for it is not there, or visitors are asked for a password, which its clients and
            Gradio's own connection behind it do not have.
    """
    if not (arguments.mcp or read_switch("ATTATTR_MCP")):
        return False
    if find_spec("mcp") is None:
        raise UserError('--mcp (or ATTATTR_MCP) needs a further package: pip install "gradio[mcp]".')
    if read_auth(arguments) is not None:
        raise UserError("--mcp cannot ask for a password: leave --auth out, and let a proxy in front of it ask.")
    return True


def launch(
    app: "gr.Blocks",
    *,
    seconds_kept: int = SECONDS_KEPT,
    max_result_bytes: int = PageLimits.max_result_bytes,
    max_call_bytes: int = APP_LIMITS.max_bytes,
    **options: object,
) -> object:
    """Serves the app.

    Args:
        app: From `build_app`.
        seconds_kept: How long files that visitors upload or have made are kept, and up to ten minutes more.
        max_result_bytes: Most bytes of all results that visitors look at.
        max_call_bytes: Largest body of a call, which the memory has to hold; uploads are not such calls.
        options: Those of ``gr.Blocks.launch``.
    """
    import gradio as gr
    from starlette.middleware import Middleware

    close_doors()
    if options.get("mcp_server"):
        answer_in_json()
    settings = {
        "theme": gr.themes.Base(primary_hue="orange", neutral_hue="slate", font=FONT, font_mono=MONO).set(**COLOURS),
        "css_paths": [PAGE_STYLE],
        "head": PAGE_HEAD,
        "js": PAGE_SCRIPT,
        "max_file_size": PageLimits.max_upload_bytes,
        "state_session_capacity": 2000,  # visitors, and programs' calls, of whom something is known
        "max_threads": 128,  # events at a time: those that wait for their turn to compute are among them
        "run_history": False,
        "enable_monitoring": False,
        "strict_cors": True,
        "ssr_mode": False,
        "mcp_server": False,
        "app_kwargs": {
            "middleware": [
                Middleware(
                    ClosedDoors,
                    max_bytes=max_call_bytes,
                    max_upload_bytes=options.get("max_file_size", PageLimits.max_upload_bytes),
                )
            ],
            "routes": [build_health_route()],
            "exception_handlers": EXPLANATIONS,
            "lifespan": keep_visitors(seconds_kept, max_result_bytes),
        },
    }
    return app.queue(max_size=256, default_concurrency_limit=8).launch(**settings | options)


def main() -> None:
    """Serves the app as the command line says, until it is told to end."""
    arguments = parse_arguments()
    try:
        models, auth, is_mcp = build_models(arguments), read_auth(arguments), wants_mcp(arguments)
        seconds = read_seconds_kept(arguments)
        find_cache()  # reads its limit
    except UserError as error:
        sys.exit(f"error: {error}")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("attattr_core").setLevel(logging.INFO)
    app, told = build_app(models, warms=True), listen_for_end()
    launch(
        app,
        seconds_kept=seconds,
        max_result_bytes=models.page.max_result_bytes,
        max_call_bytes=models.data.max_bytes,
        max_file_size=models.page.max_upload_bytes,
        server_name=arguments.host,
        server_port=arguments.port,
        share=is_shared(arguments),
        auth=auth,
        mcp_server=is_mcp,
        prevent_thread_lock=True,
    )
    end_when(told, app, FILES.cleanup)


if __name__ == "__main__":
    main()
