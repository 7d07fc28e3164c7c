"""What the package raises when a person can put it right."""


class UserError(ValueError):
    """A mistake in what was asked for: one sentence that names the value and the way out."""


class UnsupportedModelError(UserError):
    """The model cannot be attributed exactly; the sentence names its family and the reason."""
