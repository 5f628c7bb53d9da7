from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from mobilekit.compat import check as check_module
from mobilekit.compat.check import check, min_runtime_version
from mobilekit.compat.tables import builtin_table
from mobilekit.errors import CorruptModelError, InputError, ModelLoadError, UnsupportedOp
from mobilekit.graph.writer import write
from mobilekit.source import SourceLocation
from tests.compat.graphs import conv, graph_of, op, tensor, unary


def network(*, refused="GATHER_ND"):
    """conv -> a refused op -> conv, in float."""
    first = conv(8, 4, 6)
    middle = unary(refused, first.output)
    middle.source = SourceLocation("net.py", 7, "y = strange(y)")
    last = conv(8, 6, 6, x=middle.output)
    return graph_of([first, middle, last])


def only(report):
    (target,) = report.targets
    return target


def test_all_ten_targets_answer_on_a_plain_network():
    report = check(graph_of([conv()]))
    assert [target.target for target in report.targets] == [
        "runtime", "cpu", "gpu", "mldrift", "nnapi", "hexagon", "coreml", "qnn", "mediatek", "edgetpu",
    ]  # fmt: skip
    taken = {target.target: target.coverage for target in report.targets}
    assert {name for name, share in taken.items() if share == 1.0} == {
        "runtime", "cpu", "gpu", "mldrift", "nnapi", "coreml", "qnn", "mediatek",
    }  # fmt: skip
    assert report.target("hexagon").findings[0].reasons[0] == "the input is float32, taken are int8, uint8"


def test_a_refused_op_cuts_the_graph_and_is_named_with_its_line():
    graph = network()
    report = check(graph, "cpu", name="net")
    cpu = only(report)
    assert (report.model, cpu.ops_total, cpu.ops_supported) == ("net", 3, 2)
    assert cpu.partitions == cpu.delegated == (1, 1)
    assert cpu.pieces == 3
    (finding,) = cpu.findings
    assert finding.kind == "GATHER_ND"
    assert not finding.supported
    assert finding.reasons == ("GATHER_ND is not in its list of ops",)
    assert str(finding.source) == "net.py:7: y = strange(y)"
    # In, to the middle and back, out: 8*8*4 + 3 * 8*8*6 floats.
    assert cpu.bytes_across == 4 * (256 + 3 * 384)
    assert cpu.mac_share == 1.0
    assert cpu.costliest is None


def test_a_target_that_takes_one_piece_only_leaves_the_smaller_one():
    gpu = only(check(network(), "gpu"))
    assert gpu.partitions == (1, 1)
    assert gpu.delegated == (1,)
    # Equal sizes: the first is kept, with 4 of the 4 + 6 input channels that cost.
    assert gpu.delegated_mac_share == pytest.approx(4 / 10)
    assert gpu.pieces == 2


def test_the_refused_op_that_costs_most_is_named():
    graph = network()
    graph.ops[0].options["fused_activation_function"] = "TANH"
    cpu = only(check(graph, "cpu"))
    assert cpu.costliest == graph.ops[0].name
    assert cpu.mac_share == pytest.approx(6 / 10)


def test_ops_without_a_lowering_count_as_refused_everywhere():
    lost = UnsupportedOp("aten.erfinv.default", "erfinv_1", "no lowering", SourceLocation("net.py", 3), "use a table")
    for target in check(graph_of([conv()]), "all", unsupported=[lost]).targets:
        assert target.ops_total == 2
        finding = next(finding for finding in target.findings if finding.op_index == -1)
        assert finding.reasons == ("cannot be converted: no lowering",)
        assert (finding.kind, finding.name, finding.suggestion) == ("aten.erfinv.default", "erfinv_1", "use a table")


def test_rules_in_words_stay_open_and_are_not_counted_as_checked():
    edge = only(check(graph_of([unary("RESHAPE", tensor(1, 4, dtype="int8", scale=0.1))]), "edgetpu"))
    assert (edge.ops_supported, edge.ops_unchecked) == (1, 1)
    assert edge.findings[0].unchecked == ("some large reshapes stay on CPU",)


def test_levels_change_the_answer():
    graph = graph_of([unary("ABS", tensor(4))])
    assert only(check(graph, "nnapi:28")).ops_supported == 0
    new = only(check(graph, "nnapi:29"))
    assert (new.ops_supported, new.level) == (1, "Android SDK 29")


def test_a_release_is_a_target_too():
    graph = graph_of([conv(), op("GELU", [x := tensor(4)], [tensor(4)])])
    assert x in graph.inputs
    assert min_runtime_version(graph) == "2.9.0"
    assert only(check(graph, "runtime:2.9")).coverage == 1.0
    old = only(check(graph, "runtime:2.8"))
    assert old.findings[0].reasons == ("version 1 needs TFLite 2.9.0, 2.8 was asked for",)


def test_lowest_runtime_is_that_of_the_newest_op():
    assert min_runtime_version(graph_of([conv()])) == "1.5.0"
    assert min_runtime_version(graph_of([conv(dtype="int8")])) == "1.14.0"
    future = conv()
    future.version = 99
    assert min_runtime_version(graph_of([future])) == "unknown"
    runtime = only(check(graph_of([future]), "runtime"))
    assert runtime.findings[0].unchecked == ("which release runs CONV_2D version 99 (the table has none)",)


def test_custom_ops_are_shown_by_their_own_name():
    runtime = only(check(graph_of([op("CUSTOM", [tensor(2)], [tensor(2)], custom_code="Mine")]), "runtime"))
    assert runtime.findings[0].kind == "CUSTOM Mine"
    assert "the application must register it" in runtime.findings[0].reasons[0]


def test_files_and_bytes_are_read(tmp_path):
    data = write(graph_of([conv()]))
    path = tmp_path / "small.tflite"
    path.write_bytes(data)
    assert check(path, "cpu").model == "small"
    assert only(check(data, "cpu")).coverage == 1.0


def test_what_cannot_be_checked(tmp_path):
    with pytest.raises(ModelLoadError):
        check(tmp_path / "none.tflite")
    with pytest.raises(CorruptModelError):
        check(b"not a model at all")
    with pytest.raises(InputError, match="cannot check a int; give an nn"):
        check(3)
    with pytest.raises(InputError, match="did you mean 'gpu'"):
        check(tmp_path / "none.tflite", "gpuu")


def test_bodies_of_control_flow_are_judged_in_the_notes():
    graph = graph_of([conv()])
    graph.subgraphs = [graph_of([unary("GATHER_ND", tensor("in", (1, 4)))]), graph_of([conv()])]
    for body, name in zip(graph.subgraphs, ("one", "two"), strict=True):
        body.name = name
    notes = only(check(graph, "cpu")).notes
    assert "2 ops stand in the bodies of IF and WHILE; the figures count the main graph only" in notes
    (refused,) = [note for note in notes if note.startswith("in a body")]
    assert "GATHER_ND is not in its list of ops" in refused
    graph.subgraphs = graph.subgraphs[1:]
    assert any(note.endswith("and none of them is refused") for note in only(check(graph, "cpu")).notes)


def test_an_empty_graph_is_covered():
    assert only(check(graph_of([]), "cpu")).coverage == 1.0


# Mutation: one rule of a real table changed, the answer changes with it.
MUTATIONS = {
    "max_op_version": ("gpu", "CONV_2D", lambda rule: rule.update(value=0)),
    "max_rank": ("gpu", "CONV_2D", lambda rule: rule.update(value=3)),
    "activation": ("gpu", "CONV_2D", lambda rule: rule.update(allowed=[])),
    "runtime_inputs": ("gpu", "CONV_2D", lambda rule: rule.update(min=2, max=2)),
    "num_outputs": ("gpu", "CONV_2D", lambda rule: rule.update(min=2, max=2)),
    "param": ("xnnpack", "CONV_2D", lambda rule: rule.update(allowed=["NO_SUCH"])),
    "num_inputs": ("xnnpack", "CONV_2D", lambda rule: rule.update(min=4, max=4)),
    "rank": ("xnnpack", "CONV_2D", lambda rule: rule.update(min=5, max=5)),
    "static_input": ("xnnpack", "CONV_2D", lambda rule: rule.update(index=0)),
    "input_type": ("xnnpack", "CONV_2D", lambda rule: rule.update(allowed=["int64"])),
    "relation": ("xnnpack", "CONV_2D", lambda rule: rule.update(rule="input_constant")),
    "min_level": ("nnapi", "CONV_2D", lambda rule: rule.update(value=99)),
}


@pytest.mark.parametrize("kind", sorted(MUTATIONS))
def test_changing_a_rule_changes_the_answer(kind, tmp_path):
    name, op_name, mutate = MUTATIONS[kind]
    table = copy.deepcopy(builtin_table({"xnnpack": "cpu"}.get(name, name)))
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(table))
    graph = graph_of([conv()])
    assert only(check(graph, str(path))).ops_supported == 1
    rule = next(rule for rule in table["ops"][op_name]["constraints"] if rule["kind"] == kind)
    mutate(rule)
    other = tmp_path / "mutated.json"
    other.write_text(json.dumps(table))
    assert only(check(graph, str(other))).ops_supported == 0


def test_changing_the_types_changes_the_answer(tmp_path):
    table = copy.deepcopy(builtin_table("cpu"))
    table["ops"]["CONV_2D"]["dtypes"] = ["fp16"]
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(table))
    assert only(check(graph_of([conv()]), str(path))).findings[0].reasons == ("input 0 is float32, taken are float16",)


def test_a_check_of_a_file_loads_no_torch(tmp_path):
    path = tmp_path / "small.tflite"
    path.write_bytes(write(graph_of([conv()])))
    code = f"import sys\nfrom mobilekit.compat.check import check\ncheck({str(path)!r})\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert check_module.check is check
