"""Jobs on a real Ray of two workers: the same numbers as here, also when a worker is killed in the middle."""

import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from attattr_core.cluster import ray_workers
from attattr_core.cluster.ray_workers import Crew, RayWorkers, find_source
from attattr_core.cluster.worker import Source, Worker
from attattr_core.datasets import open_data
from attattr_core.engine.encoding import encode
from attattr_core.errors import UserError
from attattr_core.heads.importance import measure_importance
from attattr_core.heads.pruning import measure_curves
from attattr_core.settings import Settings
from attattr_core.trees.faithfulness import measure_dataset
from attattr_core.triggers.entries import write_trigger
from attattr_core.triggers.evaluation import evaluate_triggers
from attattr_core.triggers.mining import mine_triggers
from tests.benchmarks import cluster

FAST = Settings(rule="left", n_steps=2)


class KilledWorkers:
    """Ray's workers, the first of which is killed once in the middle of a shard; what begins is written down."""

    def __init__(self, workers, folder, *, always=False):
        self.workers, self.log, self.flag = workers, folder / "log", folder / "flag"
        self.device_type, self.always = workers.device_type, always

    def start(self, prepare, *, onednn):
        log, flag, always = self.log, self.flag, self.always

        def is_first():
            with suppress(FileExistsError), flag.open("x"):  # of two workers that begin at the same time, one
                return True
            return False

        def prepare_killing(checkpoint):
            work = prepare(checkpoint)

            def work_killing(encoded, *others):
                with log.open("a") as file:
                    file.write(" ".join(encoded[0].tokens) + "\n")
                if always or is_first():
                    os.kill(os.getpid(), signal.SIGKILL)
                yield from work(encoded, *others)

            return work_killing

        return self.workers.start(prepare_killing, onednn=onednn)


@pytest.fixture(scope="module")
def local(checkpoint, examples):
    *_, last = measure_importance(checkpoint, examples, settings=FAST)
    return last.importance


@pytest.mark.parametrize("method", ["attattr", "ablation"])
def test_importance_is_that_of_this_process(checkpoint, examples, workers, tmp_path, method):
    settings = FAST if method == "attattr" else None
    *_, here = measure_importance(checkpoint, examples, method, settings=settings)
    options = {"settings": settings, "state": tmp_path / "state", "workers": workers}
    steps = list(measure_importance(checkpoint, examples, method, **options))
    assert here.importance.values.any()
    np.testing.assert_array_equal(steps[-1].importance.values, here.importance.values)
    done = [step.n_done for step in steps]
    assert done == sorted(set(done))  # one step a shard, whoever did it
    assert (done[-1], steps[-1].share) == (14, 1.0)
    assert len(done) > 3
    (again,) = measure_importance(checkpoint, examples, method, **options)  # all is in the file
    np.testing.assert_array_equal(again.importance.values, here.importance.values)


def test_a_killed_worker_costs_its_shard_only(checkpoint, examples, workers, local, tmp_path):
    killed = KilledWorkers(workers, tmp_path)
    *_, last = measure_importance(checkpoint, examples, settings=FAST, workers=killed)
    np.testing.assert_array_equal(last.importance.values, local.values)
    assert killed.flag.exists()
    assert sorted(Counter(killed.log.read_text().splitlines()).values(), reverse=True)[:2] == [2, 1]


@pytest.mark.parametrize("mode", ["paper", "pooled"])
def test_triggers_are_those_of_this_process(checkpoint, examples, workers, mode):
    *_, here = mine_triggers(checkpoint, examples, mode=mode, settings=FAST)
    *_, there = mine_triggers(checkpoint, examples, mode=mode, settings=FAST, workers=workers)
    entries, expected = (list(map(write_trigger, found.triggers.triggers)) for found in (there, here))
    assert expected
    assert entries == expected
    assert (there.n_done, there.n_total) == (here.n_done, here.n_total)


def test_evaluations_are_those_of_this_process(checkpoint, examples, other_examples, workers):
    *_, mined = mine_triggers(checkpoint, examples, settings=FAST)
    options = {"n_triggers": 3, "n_seeds": 2, "threshold": 0.0}
    *_, here = evaluate_triggers(checkpoint, other_examples, mined.triggers, **options)
    *_, there = evaluate_triggers(checkpoint, other_examples, mined.triggers, **options, workers=workers)
    assert (there.n_done, there.n_total) == (here.n_done, here.n_total)
    for one, other in zip(here.study.results, there.study.results, strict=True):
        assert list(map(vars, one.flips)) == list(map(vars, other.flips))
        np.testing.assert_array_equal(one.change, other.change)
        for mine, theirs in zip(one.controls, other.controls, strict=True):
            assert (mine.kind, mine.insertions) == (theirs.kind, theirs.insertions)
            np.testing.assert_array_equal(mine.accuracy, theirs.accuracy)


def test_pruning_curves_are_those_of_this_process(checkpoint, examples, workers, local):
    options = {"n_seeds": 1, "rates": (0.0, 0.3, 0.6)}
    *_, here = measure_curves(checkpoint, examples, {"attattr": local}, **options)
    *_, there = measure_curves(checkpoint, examples, {"attattr": local}, **options, workers=workers)
    assert (there.n_done, there.n_total) == (here.n_done, here.n_total)
    for one, other in zip(here.study.curves, there.study.curves, strict=True):
        np.testing.assert_array_equal(one.metric, other.metric)
    assert here.study.differences == there.study.differences


def test_deletion_curves_are_those_of_this_process(checkpoint, examples, workers):
    texts = [one.text for one in examples.examples[:4]]
    options = {"counts": (0, 2, 4), "n_seeds": 2, "settings": FAST}
    *_, here = measure_dataset(checkpoint, texts, **options)
    *_, there = measure_dataset(checkpoint, texts, **options, workers=workers)
    for name in ("tree", "attention", "random"):
        np.testing.assert_array_equal(there.drops[name], here.drops[name])


# ------------------------------------------------------------------------------------------------- what goes wrong


def test_a_sentence_of_a_worker_is_said_here(workers):
    def prepare(checkpoint):
        def work(number):
            if number == 3:
                raise UserError("Example 3 is empty: write something.")
            yield 1.0, number

        return work

    run = workers.start(prepare, onednn=False)
    with pytest.raises(UserError, match=r"^Example 3 is empty: write something\.$"):
        list(run((number,) for number in range(6)))
    assert sorted(step.result for step in run((number,) for number in range(3))) == [0, 1, 2]  # they work on


def test_a_shard_that_kills_every_worker_ends_in_a_sentence(checkpoint, examples, workers, tmp_path):
    killed = KilledWorkers(workers, tmp_path, always=True)
    with pytest.raises(UserError, match="4 workers died one after the other"):
        list(measure_importance(checkpoint, examples, settings=FAST, workers=killed))


def test_other_weights_under_the_same_name_are_refused(ray):
    with pytest.raises(UserError, match="other weights under 'sst2'"):
        Worker(Source("sst2", "0123"), "cpu", 1).work([ray.put(None)], False, ())


def test_a_worker_that_cannot_begin_says_why(ray):
    actor = ray.remote(Worker).options(num_cpus=0).remote(Source("sst2", ""), "cpu", 0)
    with pytest.raises(UserError, match=r"could not begin \(.*set_num_threads.*\): install requirements"):
        ray_workers.fetch(actor.work.remote([], False, ()))


def test_a_cluster_without_room_is_named(ray, checkpoint):
    for crew, sentence in {
        Crew(n_workers=99): "99 workers of 1 processor in",
        Crew(num_gpus=1): "1 worker of 1 processor and 1 GPU in",
    }.items():
        with pytest.raises(UserError, match=f"no room for {sentence} a cluster of"):
            RayWorkers(checkpoint, crew)


def test_crews_fit_what_there_is():
    fit = {"CPU": 64.0, "GPU": 8.0}
    assert Crew().fit(fit) == Crew(8, 1.0, 1)
    assert Crew(num_gpus=0.5).fit(fit) == Crew(16, 0.5, 1)
    assert Crew(num_gpus=0, num_cpus=4).fit(fit) == Crew(16, 0, 4)
    assert Crew().fit({"CPU": 6.0}) == Crew(6, 0.0, 1)
    for options in ({"n_workers": 0}, {"num_gpus": 2}, {"num_gpus": -1}, {"num_cpus": 0}):
        with pytest.raises(UserError, match="choose"):
            Crew(**options)


def test_workers_find_the_very_weights(checkpoint, tmp_path, monkeypatch):
    assert find_source(checkpoint) == Source("sst2", checkpoint.revision)
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_source(replace(checkpoint, name="model")).name == str(tmp_path / "model")
    commits = replace(checkpoint, name="some/adapter", revision="a" * 40 + "+" + "b" * 40)
    assert find_source(commits).name == "some/adapter@" + "a" * 40
    with pytest.raises(UserError, match="have no revision"):
        find_source(replace(checkpoint, revision=""))


def test_without_ray_a_sentence_says_how(monkeypatch):
    monkeypatch.setattr(ray_workers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "ray>=2.40,<3"'), ray_workers.connecting(None):
        pass


def test_the_benchmark_measures_what_its_table_says(checkpoint, examples, workers, tmp_path):
    cluster.write_pairs(tmp_path / "pairs.tsv", 9)
    assert len(open_data(tmp_path / "pairs.tsv")) == 9
    encoded = [encode(checkpoint, one.text) for one in examples.examples]
    assert cluster.time_handing(checkpoint, encoded, workers) > 0
    assert cluster.time_importance(checkpoint, replace(examples, examples=examples.examples[:2]), workers) > 0
