from __future__ import annotations

import json
import os
import textwrap

import pytest

from mobilekit.compat import cache
from mobilekit.compat.baseline import BaselineError, baseline_document, read_baseline
from mobilekit.compat.check import check
from mobilekit.compat.ci import bars_from_words, check_entry, judged, run_ci
from mobilekit.compat.config import CiConfig, ModelEntry
from mobilekit.errors import InputError
from mobilekit.graph.writer import write
from mobilekit.results.base import to_jsonable
from mobilekit.results.compat import CompatReport
from tests.compat.graphs import conv, graph_of, unary


def refused_graph(refused=True):
    first = conv(8, 4, 6)
    middle = unary("GATHER_ND" if refused else "ABS", first.output)
    return graph_of([first, middle, conv(8, 6, 6, x=middle.output)])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.tflite").write_bytes(write(graph_of([conv()])))
    (tmp_path / "cut.tflite").write_bytes(write(refused_graph()))
    (tmp_path / "broken.tflite").write_bytes(b"xxxxTFL3 and then nothing")
    return tmp_path


def config(*models, **more):
    return CiConfig(models=tuple(ModelEntry(model=model) for model in models), **{"targets": ("cpu", "gpu"), **more})


def dies(entry, targets, root):
    """Stands for a model whose native code ends the process."""
    if entry.label == "cut":
        os._exit(3)
    return check_entry(entry, targets, root)


def raises(entry, targets, root):
    raise RuntimeError("something in the user's code\nwith a second line")


def test_bars_are_held_target_by_target(folder):
    report = run_ci(
        config("good.tflite", "cut.tflite", min_coverage={"cpu": 1.0, "gpu": 0.5}, max_pieces={"gpu": 1}),
        folder,
        jobs=0,
    )
    good, cut = report.outcomes
    assert good.passed
    assert [(miss.target, miss.message) for miss in cut.misses] == [
        ("cpu", "takes 66.7 % of the ops (1 refused), 100 % is the bar"),
        ("gpu", "cuts the graph in 2 pieces, 1 is the bar"),
    ]
    assert report.exit_code == 2


def test_a_bar_on_the_runtime(folder):
    entry = ModelEntry(model="good.tflite", runtime_min="1.4")
    (outcome,) = run_ci(CiConfig(models=(entry,)), folder, jobs=0).outcomes
    assert [miss.message for miss in outcome.misses] == ["needs TFLite 1.5.0, 1.4 is the oldest to run on"]


def test_a_model_that_fails_leaves_the_others_alone(folder):
    report = run_ci(config("good.tflite", "broken.tflite", "none.tflite"), folder, jobs=0)
    assert [outcome.error is None for outcome in report.outcomes] == [True, False, False]
    assert "damaged or truncated" in str(report.outcomes[1].error)
    assert "cannot read" in str(report.outcomes[2].error)
    assert report.exit_code == 1


def test_any_exception_is_one_line(folder):
    (outcome,) = run_ci(config("good.tflite"), folder, jobs=0, check_model=raises).outcomes
    assert outcome.error == "RuntimeError: something in the user's code"


def test_processes_give_the_same_answer_in_the_same_order(folder):
    models = config("cut.tflite", "good.tflite", "broken.tflite")
    apart, here = run_ci(models, folder, jobs=2), run_ci(models, folder, jobs=0)
    assert [outcome.report for outcome in apart.outcomes] == [outcome.report for outcome in here.outcomes]
    assert [outcome.error for outcome in apart.outcomes] == [outcome.error for outcome in here.outcomes]


def test_a_process_that_dies_takes_only_its_own_model_along(folder):
    report = run_ci(config("good.tflite", "cut.tflite", "broken.tflite"), folder, jobs=1, check_model=dies)
    assert [outcome.error and outcome.error[:35] for outcome in report.outcomes] == [
        None,
        "the process that checked it died",
        f"{folder}/broken.tflite"[:35],
    ]


def test_progress_counts_every_model(folder):
    seen = []
    run_ci(config("good.tflite", "cut.tflite"), folder, jobs=0, progress=lambda *state: seen.append(state))
    assert seen == [("good", 1, 2), ("cut", 2, 2)]


def test_a_second_run_reads_the_cache_until_something_changes(folder, tmp_path):
    kept, models = tmp_path / "kept", config("good.tflite", "cut.tflite")
    first = run_ci(models, folder, jobs=0, cache_folder=kept)
    second = run_ci(models, folder, jobs=0, cache_folder=kept, check_model=raises)
    assert [outcome.cached for outcome in second.outcomes] == [True, True]
    assert [outcome.report for outcome in second.outcomes] == [outcome.report for outcome in first.outcomes]
    (folder / "cut.tflite").write_bytes(write(refused_graph(False)))
    third = run_ci(models, folder, jobs=0, cache_folder=kept)
    assert [outcome.cached for outcome in third.outcomes] == [True, False]
    assert third.outcomes[1].report != first.outcomes[1].report
    fewer = run_ci(config("good.tflite", targets=("cpu",)), folder, jobs=0, cache_folder=kept)
    assert not fewer.outcomes[0].cached


def test_errors_are_not_kept(folder, tmp_path):
    for _ in range(2):
        report = run_ci(config("broken.tflite"), folder, jobs=0, cache_folder=tmp_path / "kept")
        assert not report.outcomes[0].cached
        assert report.exit_code == 1


def test_a_report_survives_the_way_through_json():
    report = check(refused_graph())
    assert cache.from_jsonable(CompatReport, json.loads(json.dumps(to_jsonable(report)))) == report


def test_a_damaged_entry_counts_as_none(tmp_path):
    (tmp_path / "k.json").write_text('{"model": 3')
    assert cache.load(tmp_path, "k") is None
    (tmp_path / "k.json").write_text("{}")
    assert cache.load(tmp_path, "k") is None


def test_the_key_of_a_python_model_covers_its_folder(tmp_path):
    nets = tmp_path / "nets"
    nets.mkdir()
    (nets / "net.py").write_text("def make(): ...")
    (nets / "blocks.py").write_text("WIDTH = 1")

    def key():
        cache._tree_digest.cache_clear()
        return cache.key_of("nets/net.py:make", tmp_path, ["cpu"])

    before = key()
    assert before == key()
    (nets / "blocks.py").write_text("WIDTH = 2")
    assert before != key()
    assert cache.key_of("nets/none.py:make", tmp_path, ["cpu"]) is None
    assert cache.key_of("no_such_package:make", tmp_path, ["cpu"]) is None
    assert cache.key_of("json.decoder:JSONDecoder", tmp_path, ["cpu"]) is not None


def test_a_fall_against_the_baseline_is_seen_and_a_rise_is_told(folder):
    models = config("good.tflite", "cut.tflite")
    (folder / "cut.tflite").write_bytes(write(refused_graph(False)))
    document = baseline_document(run_ci(models, folder, jobs=0))
    path = folder / "baseline.json"
    path.write_text(json.dumps(document))
    against = models.model_copy(update={"baseline": "baseline.json"})
    assert run_ci(against, folder, jobs=0).exit_code == 0
    (folder / "cut.tflite").write_bytes(write(refused_graph()))
    worse = run_ci(against, folder, jobs=0)
    assert [(miss.target, miss.message) for miss in worse.outcomes[1].misses] == [
        ("cpu", "coverage fell from 100 % to 66.7 % since the baseline"),
        ("cpu", "cut in 3 pieces, 1 in the baseline"),
        ("gpu", "coverage fell from 100 % to 66.7 % since the baseline"),
        ("gpu", "cut in 2 pieces, 1 in the baseline"),
        ("runtime", "needs TFLite 1.14.0, 1.13.0 in the baseline"),
    ]
    assert worse.exit_code == 2
    document["models"]["cut"]["targets"]["cpu"] = {"coverage": 0.5, "pieces": 9}
    del document["models"]["good"]
    path.write_text(json.dumps(document))
    notes = [outcome.notes for outcome in run_ci(against, folder, jobs=0).outcomes]
    assert notes == [("not in the baseline yet",), ("cpu: coverage rose from 50 % to 66.7 %",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read the baseline .*; write it with: mobilekit ci --update-baseline"),
        ("{", "is not JSON"),
        ('{"kind": "other"}', "is no coverage baseline"),
        ('{"kind": "coverage-baseline", "format_version": 7, "models": {}}', "has format 7, this mobilekit reads 1"),
        ('{"kind": "coverage-baseline", "format_version": 1}', "lists no models"),
    ],
)
def test_a_baseline_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "baseline.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BaselineError, match=message):
        read_baseline(path)


def test_bars_from_a_command_line():
    bars = bars_from_words(["gpu=0.95", "cpu=1"], "cpu,gpu,nnapi:29", "2.14")
    assert bars.min_coverage == {"gpu": 0.95, "cpu": 1.0}
    for words, message in [
        (["gpu"], "write a target and a share from 0 to 1, such as gpu=0.95"),
        (["gpu=95"], "a share from 0 to 1"),
        (["hexagon=1"], "a bar for 'hexagon', which is not among the targets"),
    ]:
        with pytest.raises(InputError, match=message):
            bars_from_words(words, "cpu,gpu")
    with pytest.raises(InputError, match="no release"):
        bars_from_words([], "cpu", "new")


def test_a_single_check_becomes_a_run_of_one():
    report = judged(check(refused_graph(), "cpu"), bars_from_words(["cpu=1"], "cpu"), "net.tflite")
    assert report.exit_code == 2
    assert report.outcomes[0].model == "net.tflite"


def test_pytorch_models_of_a_file(tmp_path):
    (tmp_path / "net.py").write_text(
        textwrap.dedent("""
            import torch

            def make():
                return torch.nn.Conv2d(3, 4, 3)

            def wrong():
                raise ValueError("no weights here")
        """)
    )
    entries = tuple(
        ModelEntry(model=f"net.py:{name}", name=name, input_shapes=shapes)
        for name, shapes in (("make", ("1,3,8,8",)), ("wrong", ()))
    )
    good, bad = run_ci(CiConfig(models=entries), tmp_path, jobs=0).outcomes
    assert good.report is not None
    assert good.report.target("cpu").coverage == 1.0
    assert "no weights here" in str(bad.error)


def test_a_recipe_is_applied_before_the_check(folder):
    entries = tuple(ModelEntry(model="good.tflite", name=name, quantize=name) for name in ("int8", "no-such"))
    int8, wrong = run_ci(CiConfig(models=entries, targets=("hexagon",)), folder, jobs=0).outcomes
    assert int8.report is not None
    assert int8.report.target("hexagon").coverage == 1.0
    assert "no-such" in str(wrong.error)
