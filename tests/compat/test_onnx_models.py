from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mobilekit.compat.check import check
from mobilekit.compat.onnx_models import ONNX_KINDS, ONNX_RELATIONS, check_onnx
from mobilekit.compat.tables import builtin_table
from mobilekit.errors import CorruptModelError, InputError, ModelLoadError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT = TensorProto.FLOAT


def save(path, nodes, inputs, outputs, constants=(), opset=17, domains=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=imports), path)
    return path


def one(tmp_path, kind, inputs=(("x", FLOAT, [1, 3, 8, 8]),), constants=(), outputs=("y",), opset=17, **attributes):
    names = [name for name, *_ in inputs] + [name for name, _ in constants]
    node = helper.make_node(kind, names, list(outputs), **attributes)
    path = save(tmp_path / "m.onnx", [node], inputs, [(outputs[0], FLOAT, None)], constants, opset)
    return check_onnx(path).targets[0]


def why(report):
    return [reason for finding in report.findings for reason in finding.reasons]


def test_every_rule_of_the_table_has_something_that_evaluates_it():
    for entry in builtin_table("tensorrt")["ops"].values():
        for rule in entry["constraints"]:
            assert rule["kind"] in ONNX_KINDS
            if rule["kind"] == "relation":
                assert rule["rule"] in ONNX_RELATIONS


def test_every_op_of_the_table_is_one_of_onnx():
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""}
    # Experimental ops that ONNX dropped, and that the parser still lists.
    dropped = {"ImageScaler", "ParametricSoftplus", "ScaledTanh"}
    assert set(builtin_table("tensorrt")["ops"]) - known == dropped


@pytest.mark.parametrize(
    ("kind", "more", "reasons"),
    [
        ("Relu", {}, []),
        ("Det", {}, ["Det is not supported"]),
        ("Relu", {"inputs": (("x", TensorProto.DOUBLE, [2]),)}, []),
        (
            "Abs",
            {"inputs": (("x", TensorProto.INT16, [2]),)},
            ["INT16 is not taken, FP32, FP16, BF16, INT32, INT64 are"],
        ),
        ("MaxPool", {"kernel_shape": [2, 2]}, []),
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, ["dilations is [2, 2], must be all 1"]),
        ("MaxPool", {"kernel_shape": [2, 2], "outputs": ("y", "i")}, ["needs: no Indices output"]),
        ("MaxPool", {"kernel_shape": [2], "inputs": (("x", FLOAT, [1, 3, 8]),)}, ["needs: spatial rank 2 or 3 only"]),
        ("ReduceSum", {"constants": (("axes", np.array([1])),)}, []),
        ("TopK", {"constants": (("k", np.array([5])),)}, []),
        ("TopK", {"constants": (("k", np.array([4000])),)}, ["K is [4000], must be below 3840"]),
        ("TopK", {"constants": (("k", np.array([5])),), "sorted": 0}, ["sorted is 0, must be 1"]),
    ],
)
def test_rules(tmp_path, kind, more, reasons):
    if kind == "TopK":
        more = {"outputs": ("y", "i"), **more}
    assert why(one(tmp_path, kind, **more)) == reasons


def test_axes_at_run_time_are_refused(tmp_path):
    inputs = (("x", FLOAT, [2, 3]), ("axes", TensorProto.INT64, [1]))
    assert why(one(tmp_path, "ReduceSum", inputs)) == ["axes must be a constant, is computed at run time"]


def test_what_is_not_known_stays_open(tmp_path):
    report = one(tmp_path, "GridSample", (("x", FLOAT, None), ("grid", FLOAT, None)))
    assert report.ops_unchecked == 1
    assert report.findings[0].unchecked == ("rank of the input from 4 to 4",)


def test_other_domains_bodies_and_cuts(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Det", ["b"], ["d"])], "body", [], [helper.make_tensor_value_info("d", FLOAT, None)]
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Gelu", ["a"], ["b"], domain="com.microsoft"),
        helper.make_node("If", ["c"], ["e"], then_branch=body, else_branch=body),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    inputs = [("x", FLOAT, [1, 2, 2]), ("c", TensorProto.BOOL, [1])]
    path = save(
        tmp_path / "m.onnx", nodes, inputs, [("y", FLOAT, None), ("e", FLOAT, None)], domains=("com.microsoft",)
    )
    (report,) = check_onnx(path).targets
    assert why(report)[0] == "Gelu is of the domain 'com.microsoft', not one of ONNX's own ops"
    assert "its body holds Det: Det is not supported" in why(report)
    assert (report.partitions, report.pieces) == ((1, 1), 3)
    (join,) = report.joins  # The If reads no piece of the others and stays one of its own.
    assert (join.ops, join.pieces_after) == ((1,), 2)


def test_an_opset_beyond_the_table_is_told(tmp_path):
    assert "opset 8" in one(tmp_path, "Relu", opset=8).notes[0]


def test_check_takes_an_onnx_file_for_tensorrt_alone(tmp_path):
    one(tmp_path, "Relu")
    assert check(tmp_path / "m.onnx", "tensorrt").targets[0].coverage == 1.0
    with pytest.raises(InputError, match="ask for it alone, with an"):
        check(tmp_path / "m.onnx", "cpu,tensorrt")
    # Other targets judge a captured program, so the file must be one that runs; this one declares no shapes.
    with pytest.raises(ModelLoadError, match="is no usable ONNX model"):
        check(tmp_path / "m.onnx", "cpu")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelLoadError, match="cannot read"):
        check_onnx(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptModelError, match=r"is no .onnx file"):
        check_onnx(tmp_path / "bad.onnx")


def test_the_rest_of_the_check_does_not_load_onnx():
    code = "import sys, mobilekit.compat.check; print('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
