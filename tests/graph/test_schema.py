"""The words of the IR against the schema that LiteRT carries."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mobilekit.graph.schema import (
    CODE_TO_DTYPE,
    DTYPE_TO_CODE,
    KIND_TO_CODE,
    NO_OPTIONS,
    options_type,
    pack_options,
    unpack_options,
)

# Ops that the schema itself gives no options.
# fmt: off
BARE = {
    "CEIL", "EMBEDDING_LOOKUP", "HASHTABLE_LOOKUP", "CONCAT_EMBEDDINGS", "CUSTOM", "DELEGATE", "FLOOR", "LOGISTIC",
    "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "RELU_0_TO_1", "ELU", "ROUND", "PRELU", "SIN", "COS", "RSQRT", "SQRT",
    "LOG", "BITCAST", "BITWISE_XOR", "COMPLEX_ABS", "REAL", "IMAG", "ATAN2", "BROADCAST_ARGS", "DENSIFY",
    "PLACEHOLDER_FOR_GREATER_OP_CODES",
}
# fmt: on


def test_every_op_finds_its_options() -> None:
    """A kind whose option class is found by name: a slip here would silently drop a stride or a padding."""
    missing = {kind for kind in KIND_TO_CODE if options_type(kind) is None and not kind.startswith("STABLEHLO_")}
    assert missing <= BARE, missing - BARE
    for kind in KIND_TO_CODE:
        name = options_type(kind)
        assert name is None or hasattr(schema, name + "T"), kind


def test_dtypes_have_names_both_ways() -> None:
    assert {CODE_TO_DTYPE[code] for code in DTYPE_TO_CODE.values()} == set(DTYPE_TO_CODE)
    assert {"float32", "int8", "bool", "string", "int4", "complex64"} <= set(DTYPE_TO_CODE)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("CONV_2D", {"padding": "VALID", "stride_w": 3, "fused_activation_function": "RELU_N1_TO_1"}),
        ("CAST", {"in_data_type": "bool", "out_data_type": "int4"}),
        ("ARG_MAX", {"output_type": "int64"}),
        ("MIRROR_PAD", {"mode": "SYMMETRIC"}),
        ("AVERAGE_POOL_2D", {"filter_width": 3, "filter_height": 5}),
        ("WHILE", {"cond_subgraph_index": 1, "body_subgraph_index": 2}),
        ("STABLEHLO_COMPOSITE", {"name": "odml.rms_norm", "version": 1}),
        ("RESHAPE", {"new_shape": np.array([1, -1], np.int32)}),
    ],
)
def test_options_both_ways(kind: str, options: dict[str, object]) -> None:
    operator = schema.OperatorT()
    pack_options(operator, kind, None, options)
    name, unpacked = unpack_options(operator)
    assert name == options_type(kind)
    np.testing.assert_equal({key: unpacked[key] for key in options}, options)


def test_no_options_are_not_default_options() -> None:
    operator = schema.OperatorT()
    pack_options(operator, "CAST", NO_OPTIONS, {})
    assert unpack_options(operator) == (NO_OPTIONS, {})
    pack_options(operator, "CAST", NO_OPTIONS, {"out_data_type": "int8"})  # a pass may give an op options later
    assert unpack_options(operator)[0] == "CastOptions"
