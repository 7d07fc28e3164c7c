"""Self-attention attribution (Hao et al., AAAI 2021) for Transformer classifiers."""

from attattr_core.attribution import Attribution
from attattr_core.checkpoints import Checkpoint, load_checkpoint
from attattr_core.engine import attribute, attribute_batch, attribute_layers
from attattr_core.errors import UnsupportedModelError, UserError
from attattr_core.settings import Settings

__all__ = [
    "Attribution",
    "Checkpoint",
    "Settings",
    "UnsupportedModelError",
    "UserError",
    "attribute",
    "attribute_batch",
    "attribute_layers",
    "load_checkpoint",
]
