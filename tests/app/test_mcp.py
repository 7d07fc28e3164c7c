"""The endpoints as tools of an MCP server, asked by a real client."""

import asyncio
import json

import pytest

mcp = pytest.importorskip("mcp", reason='MCP is optional: pip install "gradio[mcp]"')


@pytest.fixture(scope="module")
def mcp_url(models):
    from app import launch
    from attattr_core.ui import build_app

    app = build_app(models)
    _, url, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, mcp_server=True)
    yield f"{url}gradio_api/mcp/"
    app.close()


def ask(url: str, *calls: tuple[str, dict]) -> tuple[list, list]:
    """The server's tools, and what it answers to some calls."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def follow():
        async with streamablehttp_client(url) as (incoming, outgoing, _), ClientSession(incoming, outgoing) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            return tools, [await session.call_tool(*call) for call in calls]

    return asyncio.run(follow())


def test_the_tools_are_the_endpoints_with_their_descriptions(mcp_url):
    tools, _ = ask(mcp_url)
    found = {tool.name: tool for tool in tools}
    names = ["list_models", "load", "attribute", "tree", "head_importance", "prune"]
    assert list(found) == [*names, "mine_triggers", "evaluate_triggers"]
    attribute = found["attribute"]
    assert "certifies that nothing is missing" in attribute.description
    assert "Returns: While it lasts" in attribute.description
    assert attribute.inputSchema["required"] == ["model", "text"]
    assert all(field["description"] for tool in tools for field in tool.inputSchema["properties"].values())
    assert "url" not in json.dumps([tool.inputSchema for tool in tools])


def test_tools_can_be_called_and_refuse_in_one_sentence(mcp_url):
    calls = [
        ("list_models", {}),
        ("attribute", {"model": "sst2", "text": "A quiet film."}),
        ("attribute", {"model": "sst2", "text": ""}),
    ]
    _, (listed, attributed, refused) = ask(mcp_url, *calls)
    assert json.loads(listed.content[0].text)["models"][0]["id"] == "sst2"
    answer = json.loads(attributed.content[0].text)
    assert (answer["status"], answer["result"]["tokens"][0]) == ("done", "[CLS]")
    assert refused.isError
    assert refused.content[0].text.startswith("Sentence A is empty")
