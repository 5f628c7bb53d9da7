"""Every kind of rule: a case where it holds, one where it breaks or stays open, and its effect inside a real table."""

from __future__ import annotations

import pytest

from mobilekit.compat.rules import RULES, Refused, Unchecked, evaluate, merge_levels
from mobilekit.compat.site import Site, Surroundings
from tests.compat.graphs import const, conv, graph_of, ints, op, site, tensor, weights

I8 = {"dtype": "int8", "scale": 0.1}


def add(a=None, b=None, out=None, **more):
    return site("ADD", [a or tensor(1, 4, 4, 3), b or tensor(1, 4, 4, 3)], [out or tensor(1, 4, 4, 3)], **more)


def conv_site(**more):
    made = conv(**more)
    return Site(made, Surroundings.of(graph_of([made])))


def relu(rank=4, **more):
    return site("RELU", [tensor(*[2] * rank)], [tensor(*[2] * rank)], **more)


def mean(axes):
    return site("MEAN", [tensor(1, 4, 4, 3), axes], [tensor(1, 3)], keep_dims=False)


def pool(**options):
    settings = {"stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2, "padding": "SAME", **options}
    return site("MAX_POOL_2D", [tensor(1, 4, 4, 3)], [tensor(1, 2, 2, 3)], **settings)


def dense(**more):
    return site(
        "FULLY_CONNECTED",
        [tensor(1, 8), more.pop("w", weights(4, 8)), more.pop("b", weights(4))],
        [tensor(1, 4)],
        **more,
    )


def quantize(source_scale, out_scale):
    return site("QUANTIZE", [tensor(4, dtype="int8", scale=source_scale)], [tensor(4, dtype="int8", scale=out_scale)])


def reshape(out_scale):
    return site("RESHAPE", [tensor(2, 2, **I8), ints(4)], [tensor(4, dtype="int8", scale=out_scale)])


RATIO = {
    "kind": "scale_ratio",
    "expr": "input_scale/output_scale",
    "min": 0.00390625,
    "max": 128,
    "max_inclusive": True,
}
FLEX = {
    "kind": "any_of",
    "options": [[{"kind": "runtime_inputs", "min": 2, "max": 2}], [{"kind": "const_inputs", "min": 1, "max": 1}]],
}
SQUARE_3 = {"kind": "text", "text": "the moon is full"}
PAIRS = {"kind": "type_pairs", "allowed": [["fp32", "int32"]]}

# rule, an op for which it holds, an op for which it does not, what is then said
CASES = [
    ({"kind": "num_inputs", "min": 2, "max": 2}, add(), relu(), "number of inputs is 1, must be 2"),
    (
        {"kind": "num_outputs", "min": 1, "max": 1},
        relu(),
        site("SPLIT", [ints(0), tensor(4)], [tensor(2), tensor(2)], num_splits=2),
        "number of outputs is 2, must be 1",
    ),
    (
        {"kind": "runtime_inputs", "min": 2, "max": 2},
        add(),
        add(b=weights(3)),
        "number of inputs that are not constant is 1, must be 2",
    ),
    (
        {"kind": "const_inputs", "min": 0, "max": 0},
        add(),
        add(b=weights(3)),
        "number of constant inputs is 1, must be 0",
    ),
    (
        {"kind": "static_input", "index": 1, "name": "weights"},
        dense(),
        dense(w=tensor(4, 8)),
        "weights must be a constant, is computed at run time",
    ),
    ({"kind": "static_input", "index": 2, "name": "bias"}, dense(), dense(b=None), "bias is missing"),
    ({"kind": "non_static_input", "index": 1}, add(), add(b=weights(3)), "input 1 must not be a constant"),
    (
        {"kind": "count", "what": "axes", "min": 1, "max": 2},
        mean(ints(1, 2)),
        mean(ints(1, 2, 3)),
        "number of axes is 3, must be 1 to 2",
    ),
    (
        {"kind": "rank", "tensor": "input", "index": 0, "min": 4, "max": 4},
        relu(4),
        relu(3),
        "rank of input 0 is 3, must be 4",
    ),
    (
        {"kind": "rank", "tensor": "output", "index": 0, "min": 0, "max": 4},
        relu(4),
        relu(5),
        "rank of output 0 is 5, must be at most 4",
    ),
    (
        {"kind": "rank", "tensor": "input", "min": 3, "max": None},
        relu(4),
        relu(2),
        "rank of input 0 is 2, must be at least 3",
    ),
    ({"kind": "max_rank", "value": 4}, relu(4), relu(5), "a tensor has rank 5, at most 4 is taken"),
    (
        {"kind": "broadcast", "flag": "ENHANCED_BROADCAST"},
        add(b=tensor(4, 4, 3)),
        add(b=tensor(4, 3)),
        "broadcast of [4, 3] onto [1, 4, 4, 3] is not taken",
    ),
    (
        {"kind": "input_type", "index": 1, "allowed": ["int32"]},
        mean(ints(1)),
        mean(ints(1, dtype="int64")),
        "input 1 is int64, taken are int32",
    ),
    (
        {"kind": "output_type", "index": 0, "allowed": ["fp32", "fp16"]},
        relu(),
        site("CAST", [tensor(2)], [tensor(2, dtype="bool")]),
        "output 0 is bool, taken are float16, float32",
    ),
    (
        PAIRS,
        site("CAST", [tensor(2)], [tensor(2, dtype="int32")]),
        site("CAST", [tensor(2)], [tensor(2, dtype="int64")]),
        "float32 to int64 is not taken",
    ),
    (
        {"kind": "types_by_level", "from": 27, "allowed": ["uint8"]},
        site("RELU", [tensor(2, dtype="uint8")], [tensor(2, dtype="uint8")], level=28),
        relu(level=28),
        "float32 is not taken at level 28, uint8 are",
    ),
    (
        {"kind": "per_axis_dim", "input": 1, "dim": 0},
        conv_site(dtype="int8"),
        site(
            "CONV_2D",
            [tensor(1, 4, 4, 3, **I8), weights(6, 3, 3, 2, dtype="int8", scale=[1, 1], axis=3)],
            [tensor(1, 4, 4, 6, **I8)],
        ),
        "input 1 is quantized along axis 3, must be 0",
    ),
    (
        {"kind": "same_quant_params", "tensors": "all"},
        reshape(0.1),
        reshape(0.2),
        "scale and zero point must be the same at all inputs and outputs",
    ),
    (
        {"kind": "zero_point", "input": 1, "equals": 0},
        conv_site(dtype="int8"),
        add(b=tensor(3, dtype="int8", scale=1, zero=3)),
        "zero point of input 1 must be 0",
    ),
    (
        RATIO,
        quantize(1.0, 1.0),
        quantize(200.0, 1.0),
        "input_scale/output_scale is 200, must lie from 0.00390625 to 128",
    ),
    (
        {"kind": "activation", "allowed": ["NONE", "RELU"]},
        add(fused_activation_function="RELU"),
        add(fused_activation_function="TANH"),
        "fused activation TANH is not taken",
    ),
    (
        {"kind": "activation", "excluded": ["SIGN_BIT"]},
        add(),
        add(fused_activation_function="SIGN_BIT"),
        "fused activation SIGN_BIT is not taken",
    ),
    ({"kind": "param", "name": "stride_h", "min": 1}, pool(), pool(stride_h=0), "stride_h is 0, must be at least 1"),
    ({"kind": "param", "name": "stride_h", "max": 3}, pool(), pool(stride_h=4), "stride_h is 4, must be at most 3"),
    (
        {"kind": "param", "name": "stride_h", "max_param": "filter_h"},
        pool(),
        pool(stride_h=3),
        "stride_h is 3, must be at most filter_h",
    ),
    (
        {"kind": "param", "name": "padding", "allowed": ["SAME", "VALID"]},
        pool(),
        pool(padding="OTHER"),
        "padding is OTHER, must be one of SAME, VALID",
    ),
    (
        {"kind": "param", "name": "dilation_h", "equals": 1},
        conv_site(),
        conv_site(dilation_h_factor=2),
        "dilation_h is 2, must be 1",
    ),
    (
        {"kind": "param", "name": "weights_format", "equals": "DEFAULT"},
        dense(),
        dense(weights_format=1),
        "weights_format is SHUFFLED4x16INT8, must be DEFAULT",
    ),
    (
        {"kind": "param", "name": "alpha", "nonzero": True, "finite": True},
        site("LEAKY_RELU", [tensor(2)], [tensor(2)], alpha=0.1),
        site("LEAKY_RELU", [tensor(2)], [tensor(2)], alpha=0.0),
        "alpha is 0.0, must be other than zero and finite",
    ),
    (
        {"kind": "param", "name": "strides", "all_equal": 1},
        site("STRIDED_SLICE", [tensor(4), ints(0), ints(4), ints(1)], [tensor(4)]),
        site("STRIDED_SLICE", [tensor(4), ints(0), ints(4), ints(2)], [tensor(2)]),
        "strides must all be 1",
    ),
    ({"kind": "max_op_version", "value": 2}, relu(version=2), relu(version=3), "op version 3, at most 2 is taken"),
    ({"kind": "exact_op_version", "value": 2}, relu(version=2), relu(version=1), "op version 1, only 2 is taken"),
    ({"kind": "excluded_op_version", "value": 8}, relu(version=7), relu(version=8), "op version 8 is not taken"),
    ({"kind": "min_level", "value": 29}, relu(level=29), relu(level=28), "needs level 29, checked at 28"),
    ({"kind": "max_level", "value": 2}, relu(level=2), relu(level=3), "taken up to level 2 only, checked at 3"),
    (
        {"kind": "flag", "name": "QUANT"},
        relu(flags={"QUANT": True}),
        relu(flags={"QUANT": False}),
        "only with the option QUANT, which is off by default",
    ),
    (
        {"kind": "custom_name", "allowed": ["Resampler"]},
        site("CUSTOM", [tensor(2)], [tensor(2)], custom_code="Resampler"),
        site("CUSTOM", [tensor(2)], [tensor(2)], custom_code="Other"),
        "custom op 'Other' is not known to it",
    ),
    (
        {"kind": "composite_name", "allowed": ["odml.rms_norm"]},
        site("STABLEHLO_COMPOSITE", [tensor(2)], [tensor(2)], name=b"odml.rms_norm"),
        site("STABLEHLO_COMPOSITE", [tensor(2)], [tensor(2)], name="odml.other"),
        "composite 'odml.other' is not known to it",
    ),
    (
        FLEX,
        add(b=weights(3)),
        site("ADD", [weights(3), weights(3)], [tensor(3)]),
        "number of inputs that are not constant is 0, must be 2, and number of constant inputs is 2, must be 1",
    ),
    (
        {"kind": "relation", "rule": "inputs_not_empty", "text": "no empty input"},
        relu(),
        site("RELU", [tensor(0, 3)], [tensor(0, 3)]),
        "needs: no empty input",
    ),
]


@pytest.mark.parametrize(
    ("rule", "good", "bad", "words"), CASES, ids=[f"{c[0]['kind']}-{i}" for i, c in enumerate(CASES)]
)
def test_rule_holds_and_breaks(rule, good, bad, words):
    assert evaluate(rule, good) is None
    assert evaluate(rule, bad) == Refused(words)


def test_every_kind_of_rule_has_a_case():
    assert {case[0]["kind"] for case in CASES} | {"text"} == set(RULES)


def test_a_rule_in_words_is_never_passed():
    assert evaluate(SQUARE_3, relu()) == Unchecked("the moon is full")


@pytest.mark.parametrize(
    ("rule", "where", "words"),
    [
        (
            {"kind": "count", "what": "axes", "min": 1, "max": 6},
            mean(tensor(2, dtype="int32")),
            "number of axes from 1 to 6",
        ),
        ({"kind": "param", "name": "no_such", "min": 1}, relu(), "no_such at least 1"),
        (RATIO, relu(), "input_scale/output_scale from 0.00390625 to 128"),
        ({"kind": "composite_name", "allowed": ["a"]}, relu(), "name of the composite is one of a"),
    ],
)
def test_what_is_not_known_stays_unchecked(rule, where, words):
    assert evaluate(rule, where) == Unchecked(words)


def test_an_alternative_that_stays_open_leaves_the_whole_open():
    rule = {"kind": "any_of", "options": [[{"kind": "num_inputs", "min": 9, "max": 9}], [SQUARE_3]]}
    assert evaluate(rule, relu()) == Unchecked("the moon is full")


def test_levels_bound_a_rule():
    rule = {"kind": "num_inputs", "min": 9, "max": 9, "from_level": 28, "to_level": 29}
    assert [evaluate(rule, relu(level=level)) is None for level in (27, 28, 29, 30)] == [True, False, False, True]


def test_a_rule_for_some_types_leaves_the_others_alone():
    rule = {"kind": "num_inputs", "min": 9, "max": 9, "applies_to": ["int8_per_tensor"]}
    assert evaluate(rule, relu()) is None
    assert isinstance(evaluate(rule, site("RELU", [tensor(2, **I8)], [tensor(2, **I8)])), Refused)


def test_only_the_newest_list_of_types_counts():
    old, new = ({"kind": "types_by_level", "from": start, "allowed": ["fp32"]} for start in (27, 29))
    assert merge_levels((old, new), 28) == (old,)
    assert merge_levels((old, new), 30) == (new,)
    assert merge_levels((old, new), 26) == ()


def test_a_constant_behind_dequantize_is_static_for_targets_that_unpack_it():
    half, full = weights(4, 8, dtype="float16"), tensor(4, 8)
    unpack = op("DEQUANTIZE", [half], [full])
    layer = op("FULLY_CONNECTED", [tensor(1, 8), full, weights(4)], [tensor(1, 4)])
    around = Surroundings.of(graph_of([unpack, layer]))
    rule = {"kind": "static_input", "index": 1, "name": "weights"}
    assert evaluate(rule, Site(layer, around, folds_constants=True)) is None
    assert isinstance(evaluate(rule, Site(layer, around)), Refused)


def test_float_weights_at_run_time_pass_where_a_flag_allows_them():
    rule = {"kind": "static_input", "index": 1, "name": "weights", "unless_flag": "DYNAMIC", "unless_dtype": "fp32"}
    assert evaluate(rule, dense(w=tensor(4, 8), flags={"DYNAMIC": True})) is None
    assert isinstance(evaluate(rule, dense(w=tensor(4, 8), flags={"DYNAMIC": False})), Refused)
    assert isinstance(evaluate(rule, dense(w=tensor(4, 8, dtype="int8"), flags={"DYNAMIC": True})), Refused)


def test_the_scale_rule_counts_in_float32_with_the_alpha_of_leaky_relu():
    rule = {
        "kind": "scale_ratio",
        "expr": "alpha*input_scale/output_scale",
        "min": -127.99,
        "max": 128,
        "abs_min": 0.00390625,
    }
    x, y = tensor(2, **I8), tensor(2, **I8)
    assert evaluate(rule, site("LEAKY_RELU", [x], [y], alpha=0.1)) is None
    small = evaluate(rule, site("LEAKY_RELU", [x], [y], alpha=0.001))
    assert isinstance(small, Refused)
    assert "0.001" in small.reason


def test_numpy_broadcasts_pass_with_the_flag():
    rule = {"kind": "broadcast", "flag": "ENHANCED_BROADCAST"}
    assert evaluate(rule, add(b=tensor(4, 3), flags={"ENHANCED_BROADCAST": True})) is None
    assert evaluate(rule, add(b=const([1.0]))) is None
