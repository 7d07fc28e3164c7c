"""How much a visitor may ask for at a time: set by whoever runs the server; `attattr_core.hub.limits` and
`attattr_core.datasets.limits` hold what may be loaded and read."""

from dataclasses import dataclass, fields

from attattr_core.datasets.limits import read_number
from attattr_core.engine.families import MAX_TOKENS
from attattr_core.errors import UserError


@dataclass(frozen=True)
class PageLimits:
    """How much a visitor, that is a tab, may ask for.

    Attributes:
        max_characters: Longest sentence, in characters.
        max_tokens: Longest text, or pair of texts, in tokens; at 512 and more longer ones are cut, not refused.
        max_visitor_jobs: Jobs of one visitor that wait or go on at the same time.
        max_minutes: How long one job may compute; waiting does not count.
        max_jobs: Jobs of all visitors that wait or go on at the same time.
        max_upload_bytes: Largest uploaded file.
        max_result_bytes: All results that visitors look at, together; those longest unused are put away.
    """

    max_characters: int = 20_000
    max_tokens: int = 512
    max_visitor_jobs: int = 8
    max_minutes: int = 240
    max_jobs: int = 64
    max_upload_bytes: int = 256_000_000
    max_result_bytes: int = 1_000_000_000

    @classmethod
    def from_environment(cls, default: "PageLimits | None" = None) -> "PageLimits":
        """Reads ATTATTR_ and each attribute's name in capitals, such as ATTATTR_MAX_CHARACTERS.

        Args:
            default: Where they are not set.

        Raises:
            UserError: For a value that is not a number.
        """
        default = default or cls()
        values = {
            field.name: read_number(f"ATTATTR_{field.name.upper()}", _UNITS[field.name], getattr(default, field.name))
            for field in fields(cls)
        }
        return cls(**values)

    def check_texts(self, texts: tuple[str, ...]) -> None:
        """Refuses sentences that are too long, and an empty first one, before anybody waits for it.

        Raises:
            UserError: For the first of them.
        """
        if not (texts[0] or "").strip():
            raise UserError("Sentence A is empty: type a sentence to explain.")
        for name, text in zip("AB", texts, strict=False):
            if len(text or "") > self.max_characters:
                raise UserError(
                    f"Sentence {name} has {len(text):,} characters, and up to {self.max_characters:,} are taken here: "
                    "shorten it."
                )

    def check_tokens(self, n_tokens: int) -> None:
        """Refuses a text of too many tokens.

        Raises:
            UserError: Where it is too long.
        """
        if self.max_tokens < n_tokens and self.max_tokens < MAX_TOKENS:
            raise UserError(
                f"The text has {n_tokens:,} tokens, and up to {self.max_tokens:,} are taken here: shorten it."
            )


_UNITS = {
    "max_characters": "characters",
    "max_tokens": "tokens",
    "max_visitor_jobs": "jobs",
    "max_minutes": "minutes",
    "max_jobs": "jobs",
    "max_upload_bytes": "bytes",
    "max_result_bytes": "bytes",
}

#: For a page that strangers may use.
SHARED_LIMITS = PageLimits(5_000, 256, 3, 10, 64, 64_000_000, 500_000_000)
