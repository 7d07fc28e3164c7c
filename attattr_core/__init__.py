"""Self-attention attribution (Hao et al., AAAI 2021) for Transformer classifiers."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attattr_core.attribution import Attribution
    from attattr_core.authors import load_authors
    from attattr_core.bundle import load_bundle, save_bundle
    from attattr_core.checkpoints.checkpoint import Checkpoint, load_checkpoint
    from attattr_core.engine.attributing import attribute, attribute_batch, attribute_layers
    from attattr_core.errors import UnsupportedModelError, UserError
    from attattr_core.settings import Settings
    from attattr_core.storage import load_attribution, save_attribution
    from attattr_core.trees.faithfulness import measure_faithfulness
    from attattr_core.trees.files import load_tree, save_tree
    from attattr_core.trees.tree import AttributionTree, build_tree

# Loaded on first use: torch and transformers take seconds, and a list of commands needs neither.
_HOMES = {
    "Attribution": "attribution",
    "AttributionTree": "trees.tree",
    "Checkpoint": "checkpoints.checkpoint",
    "Settings": "settings",
    "UnsupportedModelError": "errors",
    "UserError": "errors",
    "attribute": "engine.attributing",
    "attribute_batch": "engine.attributing",
    "attribute_layers": "engine.attributing",
    "build_tree": "trees.tree",
    "load_attribution": "storage",
    "load_authors": "authors",
    "load_bundle": "bundle",
    "load_checkpoint": "checkpoints.checkpoint",
    "load_tree": "trees.files",
    "measure_faithfulness": "trees.faithfulness",
    "save_attribution": "storage",
    "save_bundle": "bundle",
    "save_tree": "trees.files",
}

__all__ = [
    "Attribution",
    "AttributionTree",
    "Checkpoint",
    "Settings",
    "UnsupportedModelError",
    "UserError",
    "attribute",
    "attribute_batch",
    "attribute_layers",
    "build_tree",
    "load_attribution",
    "load_authors",
    "load_bundle",
    "load_checkpoint",
    "load_tree",
    "measure_faithfulness",
    "save_attribution",
    "save_bundle",
    "save_tree",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
