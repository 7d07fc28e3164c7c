"""Pruning curves: the plan, the measurement against a literal reference, intervals, breaks and refusals."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from engine_cases import EXAMPLES, as_texts, read_inputs, take_snapshot
from random_models import build_checkpoint, build_model, build_tokenizer

from attattr_core import Checkpoint, UserError
from attattr_core.datasets import Example, ExampleSet, pick_examples
from attattr_core.heads import predictions, pruning
from attattr_core.heads.comparison import compare_importances
from attattr_core.heads.importance import measure_importance
from attattr_core.heads.plan import RATES, count_pruned, make_mask, make_plan
from attattr_core.heads.pruning import leave_out_seen, measure_curves
from attattr_core.heads.removal import choose_heads
from attattr_core.heads.results import DIRECTIONS, HeadImportance
from attattr_core.heads.summary import compare_areas, summarise
from attattr_core.intervals import compute_wilson

SHAPE = (3, 4)
BOTH = {"least-first": False, "most-first": True}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("attattr_core.heads.metrics.N_RESAMPLES", 200)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return replace(build_checkpoint("bert"), revision="r1")


def make_examples(n_labels: int = 3, *, values: bool = False) -> ExampleSet:
    rows = [(*as_texts(example), None)[:2] for example in EXAMPLES * 3]
    if values:
        examples = tuple(Example(*row, label=0, value=float(index % 5)) for index, row in enumerate(rows))
    else:
        examples = tuple(Example(*row, label=index % n_labels) for index, row in enumerate(rows))
    names = ("score",) if values else tuple(f"LABEL_{index}" for index in range(n_labels))
    return ExampleSet(examples, names, (), "drawn.tsv", "0" * 64, 0)


def make_importance(seed: int = 0, shape: tuple[int, int] = SHAPE, **facts) -> HeadImportance:
    values = np.random.default_rng(100 + seed).random(shape).round(1)  # with equal values among them
    return HeadImportance(values, facts.pop("method", "attattr"), **facts)


def measure(checkpoint: Checkpoint, importances: dict, examples: ExampleSet | None = None, **options):
    options = {"n_seeds": 0, **options}
    *_, last = measure_curves(checkpoint, make_examples() if examples is None else examples, importances, **options)
    assert last.n_done == last.n_total
    return last.study


# ------------------------------------------------------------------------------------------------------ the plan


@pytest.mark.parametrize("shape", [(6, 12), (12, 12), (24, 16), (36, 20), (3, 3)])
def test_as_many_heads_go_as_in_the_authors_code(shape):
    assert tuple(index / 10 for index in range(11)) == RATES
    expected = [int(index / 10 * shape[0] * shape[1]) for index in range(11)]
    assert count_pruned(RATES, shape).tolist() == expected


@pytest.mark.parametrize("shape", [(6, 12), (12, 12), (24, 16), (3, 10), (6, 5), (1, 7), (10, 10), (64, 64), (13, 3)])
def test_a_share_is_as_many_heads_for_a_curve_as_for_a_smaller_model(shape):
    importance = make_importance(0, shape)
    rates = [step / 100 for step in range(101)]
    counts = count_pruned(rates, shape).tolist()
    assert counts == [int(rate * shape[0] * shape[1]) for rate in rates]
    for rate, count in zip(rates, counts, strict=True):
        if count:
            kept = make_mask(importance.values, count)
            assert choose_heads(importance, rate) == tuple(map(tuple, np.argwhere(~kept).tolist()))
        elif rate:
            with pytest.raises(UserError, match="is less than one head"):
                choose_heads(importance, rate)


def test_layers_are_counted_as_a_pass_has_them():
    checkpoint = Checkpoint.from_model(build_model("albert", inner_group_num=2), build_tokenizer())
    examples = make_examples()
    *_, last = measure_importance(checkpoint, examples, "attention", n_examples=2)
    first, *_ = measure_importance(checkpoint, examples, "taylor", n_examples=2)
    assert last.importance.values.shape == first.importance.values.shape == (8, 4)
    study = measure(checkpoint, {"attention": last.importance}, examples, rates=(0, 0.5, 1))
    assert study.curves[0].n_pruned.tolist() == [0, 16, 32]
    with pytest.raises(UserError, match=r"is of shape \(4, 4\), but the model has 8 layers of 4 heads"):
        measure(checkpoint, {"a": make_importance(0, (4, 4))}, examples)


def test_equal_values_go_by_index():
    values = np.array([[1, 0, 1], [0, 1, 2.0]])
    assert make_mask(values, 3).tolist() == [[False, False, True], [False, True, True]]
    assert make_mask(values, 3, direction="most-first").tolist() == [[False, True, False], [True, True, False]]
    layers = make_mask(np.array([[1, 0, 1], [0, 1, 0.0]]), 1, layerwise=True)
    assert layers.tolist() == [[True, False, True], [False, True, True]]
    assert make_mask(values, 0).all()
    assert not make_mask(values, 6).any()
    assert not make_mask(values, 3, layerwise=True).any()


def test_masks_that_curves_share_are_measured_once():
    importances = {"a": make_importance(0), "b": make_importance(1), "c": make_importance(0)}
    plan = make_plan(importances, counts=np.arange(13), directions=DIRECTIONS, n_seeds=4, seed=0, layerwise=True)
    n_all = sum(curve.masks.size for curve in plan.curves)
    assert len(plan.masks) == len(np.unique(plan.masks, axis=0)) < n_all
    by_name = {(curve.method, curve.direction, curve.layerwise): curve for curve in plan.curves}
    assert len(by_name) == 14  # three methods, two ways, twice; random orders twice
    for (name, direction, layerwise), curve in by_name.items():
        assert (plan.masks[curve.masks[:, 0]]).all()
        assert not plan.masks[curve.masks[:, -1]].any()
        pruned = (~plan.masks[curve.masks]).sum(axis=-1)  # (S, P, L)
        expected = pruned if layerwise else pruned.sum(axis=-1)
        assert (np.moveaxis(expected, 1, -1) == curve.n_pruned).all()
        if name != "random":
            values = importances[name].values
            for count, place in zip(curve.n_pruned, curve.masks[0], strict=True):
                mask = make_mask(values, count, direction=direction, layerwise=layerwise)
                np.testing.assert_array_equal(plan.masks[place], mask)
    np.testing.assert_array_equal(by_name["a", "least-first", False].masks, by_name["c", "least-first", False].masks)
    random = by_name["random", "least-first", False]
    assert random.masks.shape == (4, 13)
    assert len(np.unique(random.masks[:, 5])) == 4


def test_random_orders_take_the_place_of_one_drawn():
    options = {"counts": np.arange(13), "directions": ("least-first",), "seed": 0, "layerwise": False}
    importances = {"random": make_importance(method="random")}
    (band,) = make_plan(importances, n_seeds=3, **options).curves
    (one,) = make_plan(importances, n_seeds=0, **options).curves
    assert (len(band.masks), len(one.masks)) == (3, 1)


@pytest.mark.parametrize(("n_seeds", "interval"), [(0, "wilson"), (1, "wilson"), (3, "seeds")])
def test_every_two_curves_are_compared_once_and_one_order_has_no_spread(n_seeds, interval):
    importances = {"a": make_importance(), "random": make_importance(1, method="random")}
    options = {"counts": np.arange(13), "directions": DIRECTIONS, "seed": 0, "layerwise": False}
    plan = make_plan(importances, n_seeds=n_seeds, **options)
    predicted = (np.random.default_rng(0).random((len(plan.masks), 50)) < 0.5).astype(float)
    found = summarise(plan, predicted, np.zeros(50), "accuracy")
    assert [(gap.method, gap.other, gap.direction) for gap in found.differences] == [
        ("a", "random", direction) for direction in DIRECTIONS
    ]
    random = found.curves[-1]
    assert (random.method, random.interval) == ("random", interval)
    assert (random.low < random.high)[1:-1].all()  # without pruning, and without any head, all orders are one
    assert random.area_low < random.area_high


# -------------------------------------------------------------------------------------------------- the curves


def predict_by_definition(checkpoint: Checkpoint, example: Example, mask: np.ndarray) -> torch.Tensor:
    factors = torch.from_numpy(mask).double()[:, None, :, None, None]
    texts = (example.text,) if example.text_pair is None else (example.text, example.text_pair)
    with torch.no_grad():
        inputs = read_inputs(checkpoint, *texts)
        return reference.run(checkpoint.model, inputs, lambda layer, attention: attention * factors[layer])[0]


def prune_by_definition(importance: HeadImportance, n_pruned: int, *, most_first: bool) -> np.ndarray:
    ranked = sorted(range(importance.values.size), key=lambda i: (-1) ** most_first * importance.values.flat[i])
    mask = np.ones(importance.values.size)
    mask[ranked[:n_pruned]] = 0
    return mask.reshape(importance.values.shape)


@pytest.mark.parametrize("direction", BOTH)
def test_accuracy_is_that_of_zeroed_probabilities(checkpoint, direction):
    importance, examples = make_importance(), make_examples()
    study = measure(checkpoint, {"attattr": importance}, every_head=True, directions=(direction,))
    (curve,) = study.curves
    assert curve.n_pruned.tolist() == list(range(13))
    for n_pruned in (0, 1, 5, 8, 12):
        mask = prune_by_definition(importance, n_pruned, most_first=BOTH[direction])
        right = [
            int(predict_by_definition(checkpoint, example, mask).argmax()) == example.label
            for example in examples.examples
        ]
        assert curve.metric[n_pruned] == pytest.approx(np.mean(right))
        np.testing.assert_allclose(
            (curve.low[n_pruned], curve.high[n_pruned]), compute_wilson(np.mean(right), len(examples))
        )
    assert np.ptp(curve.metric) > 0
    assert (curve.method, curve.direction, curve.n_heads, curve.interval) == ("attattr", direction, 12, "wilson")
    assert curve.area == pytest.approx(np.trapezoid(curve.metric, curve.rates))
    assert curve.area_low < curve.area < curve.area_high


def test_a_regression_is_measured_by_its_correlation():
    model = build_model("bert", n_labels=1, problem_type="regression")
    checkpoint = Checkpoint.from_model(model, build_tokenizer(), name="regression")
    examples, importance = make_examples(values=True), make_importance()
    study = measure(checkpoint, {"attattr": importance}, examples, directions=("least-first",))
    (curve,) = study.curves
    assert (study.metric_name, curve.interval) == ("pearson", "bootstrap")
    gold = [example.value for example in examples.examples]
    for place, n_pruned in enumerate(curve.n_pruned):
        mask = prune_by_definition(importance, n_pruned, most_first=False)
        values = [float(predict_by_definition(checkpoint, example, mask)[0]) for example in examples.examples]
        expected = np.corrcoef(values, gold)[0, 1] if n_pruned < 12 else 0  # without heads they are all the same
        assert curve.metric[place] == pytest.approx(expected, abs=1e-5)
    assert (curve.low <= curve.high).all()


def test_a_single_logit_is_a_probability():
    model = build_model("bert", n_labels=1)
    checkpoint = Checkpoint.from_model(model, build_tokenizer(), name="cross-encoder")
    examples = make_examples(2)
    study = measure(checkpoint, {"attattr": make_importance()}, examples, directions=("least-first",))
    whole = [predict_by_definition(checkpoint, example, np.ones(SHAPE))[0] > 0 for example in examples.examples]
    right = np.mean([bool(yes) == bool(example.label) for yes, example in zip(whole, examples.examples, strict=True)])
    assert study.curves[0].metric[0] == pytest.approx(right)


@pytest.mark.parametrize("options", [{}, {"metric": "matthews"}, {"layerwise": True}])
def test_the_whole_study(checkpoint, options):
    importances = {"attattr": make_importance(), "attention": make_importance(1, method="attention")}
    study = measure(checkpoint, importances, n_seeds=3, **options)
    assert [(curve.method, curve.direction) for curve in study.curves] == [
        *((method, direction) for method in importances for direction in DIRECTIONS),
        ("random", "least-first"),
    ]
    starts, ends = ({round(curve.metric[place], 12) for curve in study.curves} for place in (0, -1))
    assert len(starts) == len(ends) == 1
    assert len(study.layerwise) == 5 * bool(options.get("layerwise"))
    for curve in study.layerwise:
        assert curve.n_pruned.tolist() == [0, 1, 2, 3, 4]
        assert curve.n_heads == 4
        assert curve.metric[0] == study.curves[0].metric[0]
    assert study.metric_name == options.get("metric", "accuracy")
    assert (study.n_examples, study.n_seeds, study.data, study.revision) == (18, 3, "drawn.tsv", "r1")
    areas = {(curve.method, curve.direction): curve.area for curve in study.curves}
    assert len(study.differences) == 6 * (1 + bool(options.get("layerwise")))
    for gap in study.differences:
        if not gap.layerwise:
            other = areas[gap.other, "least-first" if gap.other == "random" else gap.direction]
            assert gap.difference == pytest.approx(areas[gap.method, gap.direction] - other)
        assert gap.low <= gap.difference + 0.05
        assert gap.high >= gap.difference - 0.05
    random = study.curves[-1]
    assert random.interval == "seeds"
    assert (random.low <= random.metric).all()
    assert (random.metric <= random.high).all()


def test_a_better_order_has_a_larger_area_and_the_interval_says_so():
    """Predictions made up: under every mask but the whole one, order a is right in 90 % and b in 70 % of examples."""
    generator = np.random.default_rng(0)
    importances = {"a": make_importance(0), "b": make_importance(1)}
    plan = make_plan(importances, counts=np.arange(12), directions=("least-first",), n_seeds=0, seed=0, layerwise=False)
    gold = np.zeros(400)
    predicted = (generator.random((len(plan.masks), 400)) < 0.3).astype(float)
    predicted[plan.curves[0].masks[0]] = generator.random((12, 400)) < 0.1
    found = summarise(plan, predicted, gold, "accuracy")
    (gap,) = found.differences
    assert 0.1 < gap.low < gap.difference < gap.high < 0.25
    alone = found.curves[0].area_high - found.curves[0].area_low
    assert gap.high - gap.low < 2 * alone


def test_the_same_order_differs_by_nothing():
    areas = np.random.default_rng(0).random((2000, 1))
    assert compare_areas(areas, areas) == (0, 0)
    low, high = compare_areas(areas, areas + np.array([[0, -1.0]]))  # two orders, drawn anew each time
    assert low == 0
    assert high == 1


# --------------------------------------------------------------------------------------- streaming and breaks


def assert_same_study(one, other) -> None:
    for mine, theirs in zip(one.curves + one.layerwise, other.curves + other.layerwise, strict=True):
        for name in ("metric", "low", "high", "area", "area_low", "area_high"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    assert one.differences == other.differences


def test_the_study_grows_and_can_be_abandoned(checkpoint):
    before = take_snapshot(checkpoint.model)
    steps = measure_curves(checkpoint, make_examples(), {"attattr": make_importance()}, n_seeds=2)
    first = next(steps)
    assert (first.n_done, first.study.curves, first.study.n_examples) == (0, (), 0)
    done = [first.n_done, *(next(steps).n_done for _ in range(60))]
    assert done == sorted(done)
    grown = next(steps)
    assert 0 < grown.study.n_examples < 18
    assert grown.study.curves
    steps.close()
    assert take_snapshot(checkpoint.model) == before


@pytest.mark.parametrize("n_steps", [1, 100])
def test_work_that_was_cut_off_goes_on(checkpoint, tmp_path, n_steps, monkeypatch):
    importances, options = {"attattr": make_importance()}, {"n_seeds": 2, "layerwise": True}
    whole = measure(checkpoint, importances, **options)
    state = tmp_path / "work.partial"
    steps = measure_curves(checkpoint, make_examples(), importances, state=state, **options)
    for _ in range(n_steps):
        next(steps)
    steps.close()
    assert state.exists() == (n_steps > 1)
    resumed = measure_curves(checkpoint, make_examples(), importances, state=state, **options)
    first = next(resumed)
    assert (first.n_done > 0) == (n_steps > 1)
    *_, last = resumed
    assert_same_study(last.study, whole)
    monkeypatch.setattr(predictions, "predict_pruned", None)  # all is there: the model does not run again
    assert_same_study(measure(checkpoint, importances, state=state, **options), whole)


def test_a_state_of_other_work_is_refused(checkpoint, tmp_path):
    state = tmp_path / "work.partial"
    importances = {"attattr": make_importance()}
    measure(checkpoint, importances, state=state)
    for other in (
        {"importances": {"attattr": make_importance(5)}},
        {"examples": pick_examples(make_examples(), 17)},
        {"checkpoint": replace(checkpoint, revision="r2")},
    ):
        options = {"checkpoint": checkpoint, "importances": importances, "examples": make_examples(), **other}
        with pytest.raises(UserError, match=r"'work\.partial' keeps"):
            measure(**options, state=state)
    whole = state.read_bytes()
    crossed = whole[:100] + bytes(255 - byte for byte in whole[100:140]) + whole[140:]
    for content in (b"", b"{}", b"PK\x05\x06" + bytes(18), whole[:300], crossed):
        state.write_bytes(content)
        with pytest.raises(UserError, match=r"'work\.partial' keeps no pruning work"):
            measure(checkpoint, importances, state=state)
    with pytest.raises(UserError, match="no revision"):
        measure(replace(checkpoint, revision=""), importances, state=tmp_path / "new")
    with pytest.raises(UserError, match="cannot be written"):
        measure(checkpoint, importances, state=tmp_path / "nowhere" / "new")


def test_the_size_of_the_batches_changes_nothing(checkpoint, monkeypatch):
    importances = {"attattr": make_importance()}
    whole = measure(checkpoint, importances, n_seeds=2)
    monkeypatch.setattr("attattr_core.engine.batches._MAX_BATCH", 2)
    assert_same_study(measure(checkpoint, importances, n_seeds=2), whole)


def test_classes_are_matched_by_name(checkpoint):
    examples = make_examples()
    turned = replace(
        examples,
        label_names=tuple(reversed(examples.label_names)),
        examples=tuple(replace(example, label=2 - example.label) for example in examples.examples),
    )
    checkpoint = replace(checkpoint, labels=examples.label_names)
    importances = {"attattr": make_importance()}
    one, other = (measure(checkpoint, importances, data, directions=("least-first",)) for data in (examples, turned))
    assert one.curves[0].metric[0] > 0
    np.testing.assert_array_equal(one.curves[0].metric, other.curves[0].metric)


# -------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"importances": {}}, "no importance to prune by"),
        ({"importances": {"a": make_importance(shape=(2, 4))}}, r"'a' is of shape \(2, 4\).* 3 layers of 4 heads"),
        ({"importances": {"a": HeadImportance(np.full(SHAPE, np.nan), "a")}}, "not numbers"),
        ({"examples": replace(make_examples(), examples=())}, "no examples"),
        ({"metric": "f1"}, "Unknown metric 'f1'"),
        ({"metric": "pearson"}, "'pearson', but the model 'bert' predicts classes"),
        ({"metric": "matthews", "examples": make_examples(1)}, r"all the same.* \(matthews\).* 'accuracy'\.$"),
        ({"directions": ("sideways",)}, "directions"),
        ({"directions": ()}, "directions"),
        ({"n_seeds": -1}, "number of random orders is -1"),
        ({"seed": -1}, "seed"),
        ({"rates": (0, 0.5, 0.5)}, "each larger than the last"),
        ({"rates": (0, 1.5)}, "from 0 to 1"),
        ({"rates": (float("nan"),)}, "from 0 to 1"),
        ({"rates": ()}, "rates"),
    ],
)
def test_a_mistake_is_one_sentence(checkpoint, options, sentence):
    options = {"importances": {"attattr": make_importance()}, "examples": make_examples(), **options}
    with pytest.raises(UserError, match=sentence) as caught:
        measure(checkpoint, **options)
    assert str(caught.value).count(". ") == 0


def test_more_than_the_memory_takes_is_refused_before_it_is_measured(checkpoint, monkeypatch):
    monkeypatch.setattr(pruning, "_MAX_BYTES", 100_000)
    importances = {"attattr": make_importance()}
    measure(checkpoint, importances, rates=(0, 1))
    with pytest.raises(UserError, match=r"^35 different masks on 18 examples take .* fewer random orders, points"):
        next(measure_curves(checkpoint, make_examples(), importances, every_head=True, n_seeds=1))


def test_damaged_weights_are_named():
    checkpoint = build_checkpoint("bert")
    with torch.no_grad():
        checkpoint.model.classifier.bias.fill_(torch.nan)
    with pytest.raises(UserError, match="weights are damaged"):
        measure(checkpoint, {"attattr": make_importance()})


# ----------------------------------------------------------------------------------- what was seen, and comparing


def test_seen_examples_are_left_out():
    examples = ExampleSet(
        tuple(Example(f"text {index % 8}", None, label=0) for index in range(10)), ("a", "b"), (), "d", "1" * 64, 0
    )
    seen = make_importance(data_sha256="1" * 64, n_examples=3)
    kept = leave_out_seen(examples, [seen, make_importance(data_sha256="2" * 64, n_examples=9)])
    assert [example.text for example in kept.examples] == [f"text {index}" for index in (3, 4, 5, 6, 7)]  # 8 is 0 again
    assert kept.file_name == "d (unseen)"
    drawn = replace(seen, seed=4)
    left = {example.text for example in leave_out_seen(examples, [drawn]).examples}
    assert left.isdisjoint(example.text for example in pick_examples(examples, 3, seed=4).examples)
    with pytest.raises(UserError, match="all examples"):
        leave_out_seen(examples, [replace(seen, n_examples=10)])
    with pytest.raises(UserError, match="does not say on what"):
        leave_out_seen(examples, [make_importance()])


def test_importances_are_compared_by_value_and_by_rank():
    one = HeadImportance(np.array([[1, 2], [3, 10.0]]), "attattr")
    other = HeadImportance(np.array([[1, 3], [3, 4.0]]), "taylor")
    found = compare_importances(one, other)
    assert found.pearson == pytest.approx(np.corrcoef([1, 2, 3, 10], [1, 3, 3, 4])[0, 1])
    assert found.spearman == pytest.approx(np.corrcoef([1, 2, 3, 4], [1, 2.5, 2.5, 4])[0, 1])
    assert compare_importances(one, one).pearson == pytest.approx(1)
    tiny = compare_importances(replace(one, values=one.values * 1e-200), replace(one, values=-one.values * 1e200))
    assert (tiny.pearson, tiny.spearman) == (pytest.approx(-1), pytest.approx(-1))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.ones((3, 2)), r"shape \(2, 2\) and \(3, 2\)"),
        (np.ones((2, 2)), "same for all heads"),
        (np.array([[1, np.inf], [0, 1]]), "not numbers"),
    ],
)
def test_what_cannot_be_compared_is_said(values, sentence):
    one = HeadImportance(np.array([[1, 2], [3, 10.0]]), "attattr")
    with pytest.raises(UserError, match=sentence):
        compare_importances(one, HeadImportance(values, "taylor"))
