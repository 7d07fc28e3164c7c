"""What visitors do, each with a text of their own: every answer is compared with what was asked."""

import asyncio
import base64
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.load.tab import RefusedError, Tab, read

_WORDS = """the film was warm slow honest dull bright clever a story of two friends who never quite say what they mean
and its music is better than its plot though nobody in the hall seemed to mind""".split()  # noqa: SIM905
_FIELDS = {"target": "predicted", "precision": "to a tolerance"}


class MixedUpError(Exception):
    """An answer that belongs to somebody else."""


@dataclass
class Visit:
    """One thing that a visitor does.

    Attributes:
        tab: Where.
        own: A number that no other visit has.
        random: Chooses what is left open.
        first: When the first result came, by the clock of `time.monotonic`.
    """

    tab: Tab
    own: int
    random: random.Random
    first: float | None = None

    def write(self, n_words: int) -> str:
        """Writes a text that no other visit has."""
        return f"visitor {self.own} says " + " ".join(self.random.choice(_WORDS) for _ in range(n_words))

    async def ask(self, event: dict[str, Any], given: dict[str, Any] | None = None, data: Any = None) -> list[Any]:
        """Runs an event to its end.

        Returns:
            Its last outputs, those that changed nothing replaced by the ones before.

        Raises:
            RefusedError: When the sentence above the result says so.
        """
        run, last = await self.tab.begin(event, given, data), []
        async for outputs in self.tab.listen(run):
            last = self.take(event, outputs, last)
        return last

    def take(self, event: dict[str, Any], outputs: list[Any], last: list[Any]) -> list[Any]:
        """Takes a step's outputs in: refusals, sentences about waiting, and when the first result came."""
        names = [self.tab.page.name(number) for number in event["outputs"]]
        if "status" in names:
            status = read(outputs[names.index("status")])
            if status.get("kind") == "error":
                raise RefusedError(status["text"])
            if status.get("text", "").startswith("Waiting"):
                self.tab.said.append(status["text"])
        if self.first is None and isinstance(outputs[0], str):
            self.first = time.monotonic()
        kept = last or [None] * len(outputs)
        return [new if isinstance(new, str) else old for new, old in zip(outputs, kept, strict=True)]

    async def explain(self, text: str, pair: str = "", model: str = "sst2") -> dict[str, Any]:
        """Attributes a text; gives the view's message, which belongs to that text."""
        event = self.tab.page.find_filler("heatmaps", "target")
        given = {"model": model, "text": text, "pair": pair, **_FIELDS}
        message = read((await self.ask(event, given))[0])
        self.compare(message, f"{text} {pair}", message.get("tokens", ()), message.get("sentences", ()))
        return message

    def compare(self, message: dict[str, Any], text: str, tokens: Any, sentences: Any) -> None:
        """Compares the tokens of an answer with the text that was asked about."""
        pieces = [token for token, sentence in zip(tokens, sentences, strict=True) if sentence >= 0]
        got = "".join(piece.removeprefix("##") for piece in pieces)
        wanted = text.replace(" ", "").replace(".", "").replace("?", "").lower()
        if got.replace(".", "").replace("?", "") != wanted[: len(got)] or not got:
            raise MixedUpError(f"{got[:60]!r} came for {wanted[:60]!r}")
        if message.get("status") != "done":
            raise MixedUpError(f"the last message says {message.get('status')!r}")


async def explain_sentence(visit: Visit) -> None:
    """Run, with a sentence."""
    await visit.explain(visit.write(visit.random.randint(4, 24)))


async def explain_pair(visit: Visit) -> None:
    """Run, with a pair, on the other embedded checkpoint."""
    await visit.explain(visit.write(8), visit.write(5), "snli")


async def explain_long_text(visit: Visit) -> None:
    """Run, with some hundred words."""
    await visit.explain(visit.write(visit.random.randint(150, 400)))


async def measure_tree(visit: Visit) -> None:
    """Run, then Measure deletion below the tree."""
    message = await visit.explain(visit.write(12))
    view = {"mode": "flow", "n_edges": 16, "threshold": 0.0, "tau": 0.4, "words": False}
    asked = {"run": message["run"], "view": view}
    curves = read((await visit.ask(visit.tab.page.find("curves", "measure"), {"model": "sst2"}, asked))[0])
    if curves.get("run") != message["run"]:
        raise MixedUpError(f"curves of {curves.get('run')} came for {message['run']}")


async def compare_words(visit: Visit) -> None:
    """Words in one's own text, on the tab of triggers."""
    text = visit.write(10)
    insertions = [{"word": "terrible", "sentence": 0, "gap": 0}]
    event, given = visit.tab.page.find("trial-part", "compare"), {"model": "sst2", "text": text, "pair": "", **_FIELDS}
    message = read((await visit.ask(event, given, {"insertions": insertions}))[0])
    visit.compare(message, f"terrible {text}", message.get("tokens", ()), message.get("sentences", ()))


async def open_own_file(visit: Visit) -> None:
    """Run, export the result as a file, and open that file again."""
    message = await visit.explain(visit.write(6))
    asked = {"run": message["run"], "format": "npz", "view": {}}
    packed = read((await visit.ask(visit.tab.page.find("heatmaps", "export"), None, asked))[0])
    content = base64.b64decode(packed["data"])
    file = await visit.tab.upload(f"visitor-{visit.own}.npz", content)
    opened = read((await visit.ask(visit.tab.page.find_filler("heatmaps", "open"), {"open": file}))[0])
    if opened.get("tokens") != message["tokens"]:
        raise MixedUpError(f"{opened.get('tokens')} was opened for {message['tokens']}")


async def measure_own_data(visit: Visit) -> None:
    """Uploads labelled examples and measures heads on them."""
    name = await _upload_data(visit, "heads-upload", 12)
    given = {
        "model": "sst2",
        "heads-methods": ["attention", "taylor"],
        "heads-n-ranking": 6,
        "heads-n-pruning": 6,
        "heads-directions": ["least-first"],
        "heads-seeds": 1,
        **_FIELDS,
    }
    message = read((await visit.ask(visit.tab.page.find_filler("heads", "heads-methods"), given))[0])
    if not str(message.get("data")).startswith(name) or message.get("status") != "done":
        raise MixedUpError(f"a study of {message.get('data')}, {message.get('status')}, came for {name}")


async def mine_own_data(visit: Visit) -> None:
    """Uploads labelled examples and mines triggers from them."""
    name = await _upload_data(visit, "triggers-mining-upload", 8)
    given = {"model": "sst2", "triggers-mode-field": "paper", "triggers-n-examples": 4, "triggers-min-tokens": 0}
    message = await visit.ask(visit.tab.page.find("triggers-mine", "click"), given)
    if name not in message[0]:
        raise MixedUpError(f"triggers of other data came for {name}")


async def save_smaller(visit: Visit) -> None:
    """Saves a smaller model from the study of the checkpoint that the page begins with."""
    shown = read(visit.tab.page.find_value("heads"))
    n_heads = visit.random.randint(1, 40)
    asked = {"run": shown["run"], "method": "attattr", "direction": "least-first", "n": n_heads}
    event = visit.tab.page.find("heads", "save_smaller")
    run, file = await visit.tab.begin(event, None, asked), {}
    async for outputs in visit.tab.listen(run):
        visit.take(event, outputs, [])
        file = outputs[3] if isinstance(outputs[3], dict) else file
    if f"without-{n_heads}-heads" not in str(file):
        raise MixedUpError(f"{str(file)[:80]} came for {n_heads} heads")


async def press_stop(visit: Visit) -> None:
    """Run, with a long text and many nodes; Stop soon after; then a sentence."""
    event, run = await _begin_slow(visit)
    pressing = asyncio.create_task(_press_later(visit, event, run))
    async for _ in visit.tab.listen(run):
        pass
    await pressing
    await visit.explain(visit.write(6))


async def _press_later(visit: Visit, event: dict[str, Any], run: str) -> None:
    await asyncio.sleep(visit.random.uniform(0.2, 6))
    await visit.tab.stop(event, run)


async def close_tab(visit: Visit) -> None:
    """Run, with a long text and many nodes; the tab is closed in the midst of it."""
    _, run = await _begin_slow(visit)
    async for _ in visit.tab.listen(run):
        visit.first = time.monotonic()
        return


async def ask_too_much(visit: Visit) -> None:
    """Asks for what is declined in a sentence."""
    text = visit.random.choice(["", " \n", "word " * 30_000])
    try:
        await visit.explain(text)
    except RefusedError as refusal:
        if not any(words in str(refusal) for words in ("is empty", "characters, and up to")):
            raise
    else:
        raise MixedUpError("a text that cannot be taken was taken")


async def _begin_slow(visit: Visit) -> tuple[dict[str, Any], str]:
    event = visit.tab.page.find_filler("heatmaps", "target")
    given = {"model": "sst2", "text": visit.write(300), "pair": "", **_FIELDS, "precision": "fixed nodes", "nodes": 128}
    return event, await visit.tab.begin(event, given)


async def _upload_data(visit: Visit, element: str, n_rows: int) -> str:
    name = f"visitor-{visit.own}.tsv"
    rows = [f"{visit.write(8)} {row}\t{('negative', 'positive')[row % 2]}" for row in range(n_rows)]
    file = await visit.tab.upload(name, "\n".join(["sentence\tlabel", *rows]).encode())
    await visit.ask(visit.tab.page.find(element, "upload"), {element: file})
    return name


#: What visitors do, and how often.
VISITS: dict[Callable[[Visit], Awaitable[None]], float] = {
    explain_sentence: 40,
    explain_pair: 14,
    explain_long_text: 6,
    measure_tree: 7,
    compare_words: 7,
    open_own_file: 5,
    measure_own_data: 4,
    mine_own_data: 3,
    save_smaller: 1,
    press_stop: 5,
    close_tab: 5,
    ask_too_much: 3,
}
