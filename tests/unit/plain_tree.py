"""The plain version of `attattr_core.trees.modes.grow_flow_tree`, which looks at every edge in every step."""

import numpy as np


def grow_plainly(
    attribution: np.ndarray, root: int, n_edges: int, *, threshold: float = 0.0
) -> list[tuple[int, int, int]]:
    n_layers, n_tokens, _ = attribution.shape
    values = np.where(np.eye(n_tokens, dtype=bool), -np.inf, attribution)
    values = np.where(values >= threshold * max(values.max(), 0), values, -np.inf)
    strongest = np.maximum(values.max(axis=2), 0)
    below = np.vstack([np.zeros(n_tokens), np.maximum.accumulate(strongest[:-1], axis=0)])
    reached = np.zeros((n_layers + 1, n_tokens), bool)
    reached[:, root] = True
    is_free = np.ones((n_layers, n_tokens), bool)
    edges: list[tuple[int, int, int]] = []
    while len(edges) < n_edges:
        can_join = reached[1:, :, None] & is_free[:, None, :] & (values > 0)
        worth = np.where(can_join, values + 0.5 * np.where(reached[:-1], 0, below)[:, None, :], -np.inf)
        layer, receiver, sender = (int(index) for index in np.unravel_index(worth.argmax(), worth.shape))
        if not can_join[layer, receiver, sender]:
            break
        edges.append((layer, receiver, sender))
        reached[: layer + 1, sender] = True
        is_free[layer, sender] = False
    return edges
