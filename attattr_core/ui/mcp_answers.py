"""Answers of the MCP server, a package that need not be there; its tools are the endpoints of `attattr_core.ui.api`."""

import json
from typing import Any


def answer_in_json() -> None:
    """Makes tools answer JSON, for which every client has a reader; Gradio's own answers are Python's notation."""
    from gradio.mcp import GradioMCPServer

    def write(server: Any, data: list[Any], root_url: str) -> list[Any]:
        return [server.types.TextContent(type="text", text=json.dumps(value, ensure_ascii=False)) for value in data]

    GradioMCPServer.postprocess_output_data = write
