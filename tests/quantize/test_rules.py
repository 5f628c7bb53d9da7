"""Each row of the rules table against the runtime: the integer kernel computes what the float op computes.

The reference is the float op on the dequantized inputs and dequantized constants, so what is left is the kernel's own
rounding. That is half a step of the output where the kernel rounds once, at most one step where it rounds its
multiplier and its result (fixed-point multipliers have 31 bits, 16-bit accumulators less): the bound is one step. Ops
that only move values must be exact. With another runtime: MOBILEKIT_RUNTIME=tflite-runtime pytest tests/quantize
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilekit import runtime
from mobilekit.graph.ir import Graph, Op
from mobilekit.graph.writer import write
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.measure import to_real, to_stored
from mobilekit.quantize.prepare import prepare
from mobilekit.quantize.rules import RULES
from tests.quantize.cases import CASES, POSITIVE
from tests.quantize.graphs import samples

# Kernels that tflite-runtime 2.14 does not have yet.
NEWER_THAN_2_14 = {("LOG", "int8")}
# Values only move, so not one step may be lost.
EXACT = frozenset(
    kind
    for kind, rule in RULES.items()
    if rule.sharing != "free" and kind not in ("AVERAGE_POOL_2D", "RESIZE_BILINEAR")
)
# The float32 reference holds a level of int8 to 2^7 * 2^-24 steps, of int16 to 2^15 * 2^-24 = 0.002; doubled.
MOVED = {"int8": 1e-4, "int16": 0.004}
# int16 kernels that interpolate tables of 513 entries: exp's curvature costs 2.6 steps on [-1, 2], tanh's two.
INT16_TABLES = {"EXP": 3.0, "TANH": 2.5, "LOGISTIC": 1.5, "SOFTMAX": 1.5, "BATCH_MATMUL": 1.5}


def dequantized(float_graph, graph):
    """``float_graph`` with its constants replaced by what the integers of ``graph`` stand for."""
    by_name = {t.name: t for t in graph.tensors() if t.is_constant and t.quantization is not None}
    swap = {
        t: dataclasses.replace(
            t, data=to_real(by_name[t.name], by_name[t.name].data).astype(np.float32).reshape(t.shape)
        )
        for t in float_graph.constants()
        if t.dtype == "float32" and t.name in by_name
    }
    ops = [Op(op.kind, [swap.get(t, t) for t in op.inputs], op.outputs, op.options) for op in prepare(float_graph).ops]
    return Graph(inputs=float_graph.inputs, outputs=float_graph.outputs, ops=ops)


def worst_error(float_graph, graph, data, delegate):
    """Largest distance in output steps between the integer graph and the float ops on the same stored values."""
    reference = runtime.Interpreter(write(dequantized(float_graph, graph)), delegate="reference")
    integer = runtime.Interpreter(write(graph), delegate=delegate)
    worst = 0.0
    for sample in data:
        stored = [to_stored(t, a) for t, a in zip(graph.inputs, sample, strict=True)]
        real = [to_real(t, a).astype(o.dtype) for t, a, o in zip(graph.inputs, stored, sample, strict=True)]
        for tensor, wanted, got in zip(graph.outputs, reference.run(real), integer.run(stored), strict=True):
            q = tensor.quantization
            if q is None:  # Indices and truth values: share that differs.
                worst = max(worst, float(np.mean(wanted != got)))
                continue
            info = np.iinfo(tensor.dtype)
            ideal = np.clip(wanted.astype(np.float64) / float(q.scale[0]) + int(q.zero_point[0]), info.min, info.max)
            worst = max(worst, float(np.abs(ideal - got).max()))
    return worst


def data_for(name, graph, seed=1, low=-1.0, high=2.0):
    kind = name.split("/")[0]
    data = samples(graph, 4, seed, 0.1 if kind in POSITIVE else low, high)
    return [[np.array([1, 4, 2], np.int32) if a.dtype.kind == "i" else a for a in sample] for sample in data]


def quantized(graph, data, dtype="int8"):
    """min_max and no correction: the kernel is under test, not the ranges."""
    recipe = preset("int8" if dtype == "int8" else "int16x8")
    return quantize(graph, data, recipe.with_changes(observer="min_max", bias_correction=False, equalize="off"))


def _supported(name, dtype):
    ops = prepare(CASES[name]()).ops
    return all(op.kind in RULES and dtype in RULES[op.kind].dtypes and RULES[op.kind].check(op) is None for op in ops)


def _skip_if_old(kind, dtype):
    if "tflite-runtime 2.14" in runtime.describe() and (kind, dtype) in NEWER_THAN_2_14:
        pytest.skip("its kernel came after tflite-runtime 2.14")


@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
@pytest.mark.parametrize("name", [n for n in CASES if _supported(n, "int8")])
def test_int8(name, delegate):
    kind = name.split("/")[0]
    _skip_if_old(kind, "int8")
    graph = CASES[name]()
    data = data_for(name, graph)
    result = quantized(graph, data)
    assert result.full_integer, result.float_islands
    assert worst_error(graph, result.graph, data, delegate) <= (MOVED["int8"] if kind in EXACT else 1.0)


@pytest.mark.parametrize("name", [n for n in CASES if _supported(n, "int16")])
def test_int16x8(name):
    kind = name.split("/")[0]
    graph = CASES[name]()
    data = data_for(name, graph)
    result = quantized(graph, data, "int16")
    assert result.full_integer, result.float_islands
    bound = MOVED["int16"] if kind in EXACT else INT16_TABLES.get(kind, 1.0)
    assert worst_error(graph, result.graph, data, "reference") <= bound


@pytest.mark.parametrize("name", [n for n in CASES if not _supported(n, "int8")])
def test_ops_that_int8_does_not_know_are_islands_that_run(name):
    graph = CASES[name]()
    data = data_for(name, graph)
    result = quantized(graph, data)
    assert [i.kind for i in result.float_islands] == [graph.ops[0].kind]
    assert not result.full_integer
    # The op itself is exact; only quantizing its output is left.
    assert worst_error(graph, result.graph, data, "reference") <= 0.501


def test_every_rule_has_a_case():
    assert set(RULES) - {name.split("/")[0] for name in CASES} == set()


SWEPT = ("CONV_2D/relu6", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL", "CONCATENATION", "MEAN")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    magnitude=st.sampled_from([1e-3, 1.0, 50.0]),
    offset=st.floats(-2, 2),
    name=st.sampled_from(
        ["CONV_2D/relu6", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL", "CONCATENATION", "MEAN"]
    ),
)
def test_the_bound_holds_for_any_range(seed, magnitude, offset, name):
    graph = CASES[name]()
    data = data_for(name, graph, seed, magnitude * (offset - 1), magnitude * (offset + 1))
    result = quantized(graph, data)
    for delegate in ("reference", "xnnpack"):
        assert worst_error(graph, result.graph, data, delegate) <= 1.0


@pytest.mark.parametrize("kind", ["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"])
def test_comparisons_stay_in_float_since_a_wide_range_would_end_the_process(kind):
    graph = CASES[kind]()
    data = [[400 * array for array in sample] for sample in data_for(kind, graph)]
    result = quantized(graph, data)
    assert [island.kind for island in result.float_islands] == [kind]
    assert "ends the whole process" in result.float_islands[0].reason
    runtime.Interpreter(write(result.graph), delegate="reference").invoke()
