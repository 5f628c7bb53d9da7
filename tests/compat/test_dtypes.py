from __future__ import annotations

import pytest

from mobilekit.compat.dtypes import check_types
from mobilekit.compat.site import Site, Surroundings
from mobilekit.compat.tables import builtin_table
from mobilekit.compat.tokens import dtype_of, short
from tests.compat.graphs import const, conv, graph_of, ints, site, tensor, weights

FLAGS = {"QS8": True, "QU8": True, "QUANT": True, "DYNAMIC_RANGE": True}


def i8(*shape, **more):
    return tensor(*shape, dtype="int8", scale=more.pop("scale", 0.1), **more)


def dense(x, w, out, **more):
    return site("FULLY_CONNECTED", [x, w, None], [out], **{"flags": FLAGS, **more})


def table(scope, dtypes, constraints=(), **more):
    return {"dtype_scope": scope, **more}, {"dtypes": dtypes, "constraints": list(constraints)}


def says(scope, dtypes, where, constraints=(), **more):
    return check_types(*table(scope, dtypes, constraints, **more), where)


@pytest.mark.parametrize(
    ("token", "dtype"),
    [
        ("fp32", "float32"),
        ("int8_per_channel_static", "int8"),
        ("dynamic_range_int4_blockwise", "int4"),
        ("bool_opt", "bool"),
        ("uint8_quant_mode", "uint8"),
        ("bf16", "bfloat16"),
    ],
)
def test_words_for_types(token, dtype):
    assert dtype_of(token) == dtype


def test_a_word_that_is_no_type():
    with pytest.raises(KeyError):
        dtype_of("float")
    assert short("float32") == "fp32"
    assert short("int8") == "int8"


def test_activations_looks_at_the_first_run_time_input_only():
    taken = site("ADD", [const([1.0]), i8(4)], [tensor(4)])
    assert says("activations", ["int8"], taken) is None
    assert says("activations", ["fp32"], taken) == "the input is int8, taken are float32"
    assert says("activations", ["any"], taken) is None


def test_runtime_leaves_constants_and_typed_inputs_alone():
    where = site("MEAN", [tensor(1, 4, 4, 3), ints(1)], [tensor(1, 3)])
    assert says("runtime", ["fp32"], where) is None
    loose = site("MEAN", [tensor(1, 4, 4, 3), tensor(1, dtype="int32")], [tensor(1, 3)])
    assert says("runtime", ["fp32"], loose) == "input 1 is int32, taken are float32"
    rule = {"kind": "input_type", "index": 1, "allowed": ["int32"]}
    assert says("runtime", ["fp32"], loose, [rule]) is None


def test_runtime_takes_int8_only_with_a_scale_and_with_the_flag():
    quantized = site("RELU", [i8(4)], [i8(4)], flags=FLAGS)
    assert says("runtime", ["int8_quant_mode"], quantized) is None
    plain = site("RELU", [tensor(4, dtype="int8")], [tensor(4, dtype="int8")], flags=FLAGS)
    assert says("runtime", ["int8_quant_mode"], plain) == "input 0 is int8 without a scale"
    off = site("RELU", [i8(4)], [i8(4)], flags={"QUANT": False})
    assert "an option that is off" in str(says("runtime", ["int8_quant_mode"], off))
    half = site("DEQUANTIZE", [tensor(4, dtype="float16")], [tensor(4)])
    tokens = {"input": ["fp16_static"], "output": ["fp32"]}
    assert says("runtime", tokens, half) == "input 0 is float16, taken for constants only"
    assert says("runtime", {"input": ["int8"], "output": ["fp32"]}, quantized) == "output 0 is int8, taken are float32"


XNN = ["fp32", "int8_per_tensor", "int8_per_channel", "dynamic_range_int8"]


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        (dense(tensor(1, 8), weights(4, 8), tensor(1, 4)), None),
        (dense(i8(1, 8), weights(4, 8, dtype="int8", scale=1), i8(1, 4)), None),
        (dense(i8(1, 8), weights(4, 8, dtype="int8", scale=[1] * 4), i8(1, 4)), None),
        (dense(tensor(1, 8), weights(4, 8, dtype="int8", scale=1), tensor(1, 4)), None),
        (
            dense(i8(1, 8), weights(4, 8, dtype="int8", scale=[1] * 4, zero=3), i8(1, 4)),
            "per-channel zero points of the weights must be 0",
        ),
        (
            dense(i8(1, 8, scale=0.0), weights(4, 8, dtype="int8", scale=1), i8(1, 4)),
            "scale 0 of input 0 is not a normal",
        ),
        (
            dense(i8(1, 8, scale=1e-40), weights(4, 8, dtype="int8", scale=1), i8(1, 4)),
            "is not a normal positive number",
        ),
        (dense(tensor(1, 8, dtype="int8"), weights(4, 8), i8(1, 4)), "input 0 is int8 without a scale"),
        (
            dense(i8(4, 8, scale=[1] * 4), weights(4, 8), i8(1, 4)),
            "input 0 is quantized per channel, only weights may be",
        ),
        (dense(i8(1, 8), weights(4, 8), i8(1, 4)), "fp32 weights with int8 activations are not taken"),
        (dense(i8(1, 8), weights(4, 8, dtype="int8"), i8(1, 4)), "int8 weights carry no scale"),
        (dense(tensor(1, 8, dtype="int32"), weights(4, 8), tensor(1, 4)), "input 0 is int32, taken are float32, int8"),
        (dense(i8(1, 8), weights(4, 8, dtype="int8", scale=1), i8(1, 4), flags={}), "int8 is switched off"),
    ],
)
def test_weights_against_activations(where, problem):
    answer = says("weights", XNN, where)
    assert answer is None if problem is None else problem in str(answer)


def test_per_channel_weights_where_only_per_tensor_is_listed():
    where = dense(i8(1, 8), weights(4, 8, dtype="int8", scale=[1] * 4), i8(1, 4))
    assert says("weights", ["int8_per_tensor"], where) == "int8 weights are quantized per channel, not taken"


def test_dynamic_range_where_the_op_has_no_kernel_for_it():
    where = dense(tensor(1, 8), weights(4, 8, dtype="int8", scale=1), tensor(1, 4))
    assert "no dynamic-range kernel" in str(says("weights", ["fp32"], where))


GLOBAL = {"global_types": builtin_table("mediatek")["global_types"]}


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        (site("RELU", [tensor(4)], [tensor(4)]), None),
        (site("RELU", [i8(4)], [i8(4)]), None),
        (site("RELU", [tensor(4, dtype="int8")], [i8(4)]), "int8 needs a scale"),
        (site("RELU", [tensor(4, dtype="float64")], [tensor(4)]), "no tensor may be float64"),
        (site("RELU", [tensor(4, scale=1.0)], [tensor(4)]), "float32 may not be quantized"),
        (site("GATHER", [tensor(4), tensor(1, dtype="int64")], [tensor(1)]), "int64 is taken for constants only"),
        (site("GATHER", [tensor(4), ints(0, dtype="int64")], [tensor(1)]), None),
        (site("RELU", [tensor(2, dtype="int16", scale=[1, 1])], [tensor(2)]), "int16 may not be quantized per channel"),
    ],
)
def test_one_list_for_all_tensors(where, problem):
    assert says("global", ["any_supported"], where, **GLOBAL) == problem


def test_int8_convolution_passes_where_int8_is_listed():
    made = conv(dtype="int8")
    where = Site(made, Surroundings.of(graph_of([made])), flags=FLAGS)
    assert check_types(builtin_table("cpu"), builtin_table("cpu")["ops"]["CONV_2D"], where) is None
