"""Texts that need no typing, and the finished results that the first screen shows."""

from functools import cache
from pathlib import Path

from attattr_core.attribution import Attribution
from attattr_core.storage import load_attribution

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "examples"
FIRST = "contradiction"

_LONG = (
    "For its first half hour this is a slow, talky and rather ordinary family drama, and I was ready to give up on it; "
    "then the grandmother finds the letters, the camera finally leaves the kitchen, and what follows is so patient, so "
    "funny and so painfully well observed that by the end I had forgiven every dull minute that came before."
)

EXAMPLES: dict[str, tuple[str, str, str]] = {
    "negation": ("sst2", "The film is not without its flaws, but I would gladly watch it again.", ""),
    "irony": ("sst2", "Oh good, another sequel that nobody asked for and nobody will remember.", ""),
    "contrast": ("sst2", "A wonderful cast is wasted on a script that has nothing to say.", ""),
    "long": ("sst2", _LONG, ""),
    "entailment": ("snli", "Two dogs chase a red ball along the beach.", "Some animals are playing outdoors."),
    "contradiction": ("snli", "A woman reads a newspaper alone in a small cafe.", "The woman is fast asleep."),
    "neutral": ("snli", "Two children are playing in the snow.", "The children are brother and sister."),
}


@cache
def load_example(name: str) -> Attribution | None:
    """Loads the finished result of an example, where the project ships one."""
    path = FOLDER / f"{name}.npz"
    return load_attribution(path) if path.is_file() else None
