"""Deletion and insertion curves: what they say happens to F is what happens in an independent reference."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from engine_cases import EXAMPLES, TEXT, as_texts, read_inputs, take_snapshot
from random_models import build_checkpoint, build_model, build_tokenizer, in_double

from attattr_core import Attribution, Checkpoint, Settings, UserError, attribute, load_checkpoint
from attattr_core.checkpoints.catalog import find_folder
from attattr_core.trees import faithfulness as faithfulness_module
from attattr_core.trees.curves import FaithfulnessCurves
from attattr_core.trees.faithfulness import find_receptive_field, list_orders, measure_dataset, measure_faithfulness
from attattr_core.trees.tree import build_tree

QUICK = Settings(n_steps=2)
PIECES = ("two men sleeping", "everyone is playing in the park")


@pytest.fixture
def checkpoint() -> Checkpoint:
    return build_checkpoint("bert")


def compute_without(checkpoint: Checkpoint, attribution: Attribution, entries: np.ndarray, *, keep: bool) -> float:
    """F by the reference when entries (flat, of (L, T, T)) are set to zero, or they and the diagonal alone are kept."""
    n_layers, n_tokens = attribution.n_layers, len(attribution.tokens)
    masks = np.ones((n_layers, n_tokens, n_tokens)) if keep else np.stack([np.eye(n_tokens)] * n_layers)
    masks.flat[entries] = 0 if keep else 1
    masks = torch.from_numpy(masks)

    def change(layer: int, attention: torch.Tensor) -> torch.Tensor:
        return attention * masks[layer] if layer < n_layers else attention  # a decoder's attention comes after

    with torch.no_grad():
        logits = reference.run(checkpoint.model, read_inputs(checkpoint, *attribution.texts), change)
    return float(logits[0, 0] if attribution.unit == "value" else logits.softmax(-1)[0, attribution.target])


def assert_curves_are_those_of_the_reference(checkpoint: Checkpoint, attribution: Attribution, counts: list[int]):
    tree = build_tree(attribution)
    assert len(tree.edges) >= max(counts)
    curves = measure_faithfulness(checkpoint, attribution, tree, counts=counts, n_seeds=2)
    orders = list_orders(attribution, tree, n_seeds=2)
    for kind, keep in (("deletion", True), ("insertion", False)):
        values = getattr(curves, kind)
        found = np.vstack([values["tree"], values["attention"], values["random"]])
        expected = [
            [compute_without(checkpoint, attribution, order[:count], keep=keep) for count in counts] for order in orders
        ]
        np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)
        assert np.ptp(found) > 1e-4


@pytest.mark.parametrize("family", ["bert", "albert", "gpt2", "llama", "t5", "deberta-v2", "falcon"])
def test_removing_an_edge_is_zeroing_its_probability(family):
    with in_double():
        checkpoint = build_checkpoint(family)
        attribution = attribute(checkpoint, TEXT, settings=QUICK)
        assert_curves_are_those_of_the_reference(checkpoint, attribution, [0, 1, 3, 7])


def test_of_a_regression_the_value_itself_is_followed():
    model = build_model("bert", n_labels=1, problem_type="regression")
    checkpoint = Checkpoint.from_model(model, build_tokenizer(), name="regression")
    attribution = attribute(checkpoint, TEXT, settings=QUICK)
    tree = build_tree(attribution)
    assert tree.function == "value"
    assert_curves_are_those_of_the_reference(checkpoint, attribution, [0, 2, 5])


def test_the_ends_of_the_curves(checkpoint):
    attribution = attribute(checkpoint, TEXT, settings=QUICK)
    n_tokens = len(attribution.tokens)
    n_entries = attribution.n_layers * n_tokens * (n_tokens - 1)
    curves = measure_faithfulness(
        checkpoint,
        attribution,
        build_tree(attribution),
        counts=[0, n_entries],
        n_seeds=2,
        kinds=("deletion", "insertion"),
    )
    output = attribution.output
    for order in ("attention", "random"):
        assert curves.deletion[order][..., 0] == pytest.approx(output, abs=1e-9)
        assert curves.insertion[order][..., 1] == pytest.approx(output, abs=1e-9)
        np.testing.assert_allclose(curves.deletion[order][..., 1], curves.insertion[order][..., 0], atol=1e-12)
    assert curves.deletion["tree"][0] == pytest.approx(output, abs=1e-9)
    assert curves.insertion["tree"][0] == pytest.approx(curves.insertion["random"][0, 0], abs=1e-12)


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_orders_hold_every_entry_between_different_tokens_once(family):
    attribution = attribute(build_checkpoint(family), TEXT, settings=QUICK)
    tree = build_tree(attribution)
    by_tree, by_attention, *by_chance = list_orders(attribution, tree, n_seeds=3)
    mean = attribution.attention.mean(axis=1)
    n_tokens = len(attribution.tokens)
    expected = {
        index for index, value in enumerate(mean.flat) if value > 0 and index // n_tokens % n_tokens != index % n_tokens
    }
    for order in (by_attention, *by_chance):
        assert len(order) == len(expected)
        assert set(order.tolist()) == expected
    assert (np.diff(mean.flat[by_attention]) <= 0).all()
    assert not np.array_equal(by_chance[0], by_chance[1])
    assert (np.diff(attribution.attribution.sum(axis=1).flat[by_tree]) <= 1e-7).all()
    assert len(by_tree) == len(tree.edges)


@pytest.mark.parametrize(("name", "value"), [("_CPU_TOKENS", 1), ("_CPU_TOKENS", 50), ("_MASK_ENTRIES", 1)])
def test_the_size_of_the_batches_changes_nothing(checkpoint, monkeypatch, name, value):
    attribution = attribute(checkpoint, TEXT, settings=QUICK)
    tree = build_tree(attribution)
    whole = measure_faithfulness(checkpoint, attribution, tree, n_points=5, n_seeds=2)
    monkeypatch.setattr(faithfulness_module, name, value)
    parts = measure_faithfulness(checkpoint, attribution, tree, n_points=5, n_seeds=2)
    for kind in ("deletion", "insertion"):
        for order, values in getattr(whole, kind).items():
            np.testing.assert_allclose(getattr(parts, kind)[order], values, atol=1e-12)


def test_merged_words_are_removed_with_all_their_pieces(checkpoint):
    attribution = attribute(checkpoint, *PIECES, settings=QUICK)
    tree = build_tree(attribution, words=True, n_edges=30)
    entries = [entry for group in tree.list_token_edges() for entry in group]
    assert len(entries) > len(tree.edges)
    curves = measure_faithfulness(checkpoint, attribution, tree, n_points=3, n_seeds=1)
    assert curves.counts[-1] == len(entries)
    flat = np.ravel_multi_index(np.transpose(entries), attribution.attribution.sum(axis=1).shape)
    expected = compute_without(checkpoint, attribution, flat, keep=True)
    assert curves.deletion["tree"][-1] == pytest.approx(expected, abs=1e-9)


def test_a_tree_without_edges_has_one_point(checkpoint):
    attribution = attribute(checkpoint, TEXT, settings=QUICK)
    curves = measure_faithfulness(checkpoint, attribution, build_tree(attribution, n_edges=0), n_seeds=1)
    assert curves.counts.tolist() == [0]
    assert curves.compute_area("random") == 0


def test_the_area_of_a_drawn_curve():
    values = {
        "tree": np.array([1.0, 0.5, 0.1]),
        "attention": np.array([1.0, 1.0, 0.6]),
        "random": np.array([[1.0, 1.0, 1.0], [1.0, 0.8, 1.0]]),
    }
    curves = FaithfulnessCurves(np.array([0, 1, 3]), values, values, "probability", "yes")
    # gaps 0, 0.5, 0.5: a triangle of 0.25 and a rectangle of 1, over a width of 3
    assert curves.compute_area("attention") == pytest.approx(1.25 / 3)
    assert curves.compute_area("attention", kind="insertion") == pytest.approx(-1.25 / 3)
    assert curves.compute_area("random") == pytest.approx((0.2 + (0.4 + 0.9)) / 3)  # gaps 0, 0.4, 0.9


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"revision": "another"}, "belongs to revision 'another'"),
        ({"texts": ("two men sleep",)}, "other tokens now"),
        ({"texts": ()}, "does not hold its text"),
    ],
)
def test_another_checkpoint_or_text_is_refused(checkpoint, change, sentence):
    attribution = attribute(checkpoint, TEXT, settings=QUICK)
    with pytest.raises(UserError, match=sentence):
        measure_faithfulness(checkpoint, replace(attribution, **change), build_tree(attribution))


def test_counts_below_zero_are_refused(checkpoint):
    attribution = attribute(checkpoint, TEXT, settings=QUICK)
    for counts in ([], [0, -1]):
        with pytest.raises(UserError, match="numbers of edges"):
            measure_faithfulness(checkpoint, attribution, build_tree(attribution), counts=counts)


# ------------------------------------------------------------------------------------------------- a data set


@pytest.mark.parametrize("mode", ["flow", "paper"])
def test_a_data_set_is_its_examples(checkpoint, mode):
    *_, measured = measure_dataset(checkpoint, EXAMPLES[:3], mode=mode, counts=(0, 2, 40), n_seeds=2, settings=QUICK)
    assert measured.n_total == len(measured.n_edges) == 3
    for index, example in enumerate(EXAMPLES[:3]):
        attribution = attribute(checkpoint, *as_texts(example), settings=QUICK)
        tree = build_tree(attribution, mode=mode)
        size = len(tree.edges)
        assert measured.n_edges[index] == size
        counts = [0, size]
        curves = measure_faithfulness(checkpoint, attribution, tree, counts=counts, n_seeds=2, seed=2 * index)
        for order in ("tree", "attention", "random"):
            ends = curves.deletion[order].reshape(-1, 2).mean(axis=0)
            assert measured.whole[order][index] == pytest.approx(attribution.output - ends[1], abs=1e-6)
            assert measured.drops[order][index, 0] == pytest.approx(0, abs=1e-6)
        larger = build_tree(attribution, mode=mode, n_edges=40)
        last = measure_faithfulness(checkpoint, attribution, larger, counts=[len(larger.edges)], n_seeds=1)
        drop = attribution.output - last.deletion["tree"][0]
        assert measured.drops["tree"][index, -1] == pytest.approx(drop, abs=1e-6)
        np.testing.assert_array_equal(measured.distances[index], find_receptive_field(attribution))


def test_a_data_set_grows_and_can_be_abandoned(checkpoint):
    before = take_snapshot(checkpoint.model)
    steps = measure_dataset(checkpoint, EXAMPLES, counts=(0, 1), n_seeds=1, settings=QUICK)
    assert [len(next(steps).n_edges) for _ in range(2)] == [1, 2]
    steps.close()
    assert take_snapshot(checkpoint.model) == before


def test_the_interval_holds_the_mean(checkpoint):
    *_, measured = measure_dataset(checkpoint, EXAMPLES[:4], counts=(0, 4), n_seeds=1, settings=QUICK)
    mean, low, high = measured.compute_mean("tree")
    np.testing.assert_allclose(mean, measured.drops["tree"].mean(axis=0))
    assert (low <= mean).all()
    assert (mean <= high).all()
    wins = sum(tree > other for tree, other in zip(measured.whole["tree"], measured.whole["random"], strict=True))
    assert measured.compute_wins("random") == wins / 4


def test_the_receptive_field_by_hand(checkpoint):
    attribution = attribute(checkpoint, TEXT, settings=QUICK)
    maps = np.zeros_like(attribution.attribution)
    maps[0, 0, 1, 4], maps[0, 1, 1, 4], maps[0, 0, 5, 4], maps[0, 0, 2, 2], maps[1, 0, 0, 7] = 1, 1, 1.5, 9, 0.1
    maps[2] = -1
    distances = find_receptive_field(replace(attribution, attribution=maps), n_strongest=3)
    np.testing.assert_array_equal(distances, [[3, 1, np.nan], [7, np.nan, np.nan], [np.nan] * 3])


SENTENCES = {
    "sst2": [
        "a warm , funny and deeply moving film .",
        "The plot is boring and the jokes are not funny.",
        "Not a single dull moment, and the ending is a delight.",
        "I wanted to like it, but the second half is a mess.",
    ],
    "snli": [
        ("A man is playing a guitar on a stage.", "A man is playing music."),
        ("Two dogs are running through a field.", "The dogs are asleep on a sofa."),
        ("A woman is reading a book in a park.", "The woman is waiting for her sister."),
        ("Three children are eating ice cream.", "Nobody is eating."),
    ],
}


@pytest.mark.parametrize("name", SENTENCES)
def test_the_default_tree_matters_more_than_attention_and_chance(name):
    if not any(find_folder(name).glob("*.safetensors")):
        pytest.skip(f"the embedded checkpoint {name!r} is not in this working tree")
    checkpoint = load_checkpoint(name, device="cpu")
    *_, measured = measure_dataset(checkpoint, SENTENCES[name], counts=(0, 16), n_seeds=2)
    means = {order: values.mean() for order, values in measured.whole.items()}
    assert means["tree"] > 0.1
    assert means["tree"] > 3 * max(means["attention"], means["random"])
