"""Which examples are the same, so that no trigger is evaluated on what it was mined from."""

import hashlib
import unicodedata

from attattr_core.datasets import Example


def digest_example(example: Example) -> str:
    """Identifies an example by its texts, whatever its label: 16 hexadecimal digits."""
    texts = [example.text, *([example.text_pair] if example.text_pair else [])]
    normalised = "\x1f".join(" ".join(unicodedata.normalize("NFC", text).split()) for text in texts)
    return hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).hexdigest()[:16]
