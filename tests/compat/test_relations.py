"""Every relation: one op for which it holds and one for which it breaks (and those that may stay open)."""

from __future__ import annotations

import numpy as np
import pytest

from mobilekit.compat.relations import RELATIONS
from mobilekit.compat.site import Site, Surroundings
from tests.compat.graphs import const, graph_of, ints, op, site, tensor, weights


def i8(*shape, **more):
    return tensor(*shape, dtype="int8", scale=more.pop("scale", 0.1), **more)


def relu(*shape, **more):
    return site("RELU", [tensor(*shape, **more)], [tensor(*shape, **more)])


def cast(a, b):
    return site("CAST", [tensor(2, dtype=a)], [tensor(2, dtype=b)])


def conv(x=(1, 8, 8, 4), w=(6, 3, 3, 4), **options):
    return site("CONV_2D", [tensor(*x), weights(*w), weights(w[0])], [tensor(*x[:3], w[0])], **options)


def depthwise(x=(1, 8, 8, 4), multiplier=1, kernel=3, out=None, **options):
    channels = out or x[-1] * multiplier
    return site(
        "DEPTHWISE_CONV_2D",
        [tensor(*x), weights(1, kernel, kernel, channels), weights(channels)],
        [tensor(*x[:3], channels)],
        depth_multiplier=multiplier,
        **options,
    )


def dense(x=None, w=None, bias=None, out=None, **options):
    return site(
        "FULLY_CONNECTED",
        [x or tensor(1, 8), w or weights(4, 8), bias if bias is not None else weights(4)],
        [out or tensor(1, 4)],
        **options,
    )


def matmul(a=(2, 3, 4), b=(2, 4, 5), right=tensor, **more):
    return site("BATCH_MATMUL", [tensor(*a), right(*b, **more)], [tensor(*a[:-1], b[-1])])


def transpose_conv(x=(1, 4, 4, 8), w=(6, 3, 3, 8), out=(1, 8, 8, 6), padding="SAME", shape=4, stride=2):
    return site(
        "TRANSPOSE_CONV",
        [ints(*out[:shape]), weights(*w), tensor(*x)],
        [tensor(*out)],
        padding=padding,
        stride_h=stride,
        stride_w=stride,
    )


def pool(window=(2, 2), stride=(2, 2), x=None, **options):
    return site(
        "AVERAGE_POOL_2D",
        [x or tensor(1, 32, 32, 3)],
        [tensor(1, 16, 16, 3)],
        filter_height=window[0],
        filter_width=window[1],
        stride_h=stride[0],
        stride_w=stride[1],
        **options,
    )


def add(a, b, **options):
    return site("ADD", [a, b], [tensor(*np.broadcast_shapes(a.shape, b.shape), dtype=a.dtype)], **options)


def reduce(axes, x=(2, 4, 4, 8), kind="MEAN"):
    return site(kind, [tensor(*x), axes], [tensor(1)])


def pad(amounts, x=(1, 4, 4, 3), kind="PAD"):
    amounts = amounts if not isinstance(amounts, list) else const(amounts, "int32")
    return site(kind, [tensor(*x), amounts], [tensor(*x)])


def slice_of(x, begin, size):
    return site("SLICE", [tensor(*x), begin, size], [tensor(1)])


def strided(rank=2, entries=2, stride=1, **masks):
    parts = [ints(*[value] * entries) for value in (0, 2, stride)]
    return site("STRIDED_SLICE", [tensor(*[4] * rank), *parts], [tensor(2)], **masks)


def concat(inputs, axis=-1, out=(1, 4, 4, 6)):
    return site("CONCATENATION", inputs, [tensor(*out)], axis=axis)


def resize(align=False, half=False, size=None):
    return site(
        "RESIZE_BILINEAR",
        [tensor(1, 4, 4, 3), size if size is not None else ints(8, 8)],
        [tensor(1, 8, 8, 3)],
        align_corners=align,
        half_pixel_centers=half,
    )


def select(condition=(4,), yes=(4,), no=(4,), out=(4,)):
    return site("SELECT_V2", [tensor(*condition, dtype="bool"), tensor(*yes), tensor(*no)], [tensor(*out)])


def clamp(low=(), x=(2, 3), high=()):
    return site("STABLEHLO_CLAMP", [tensor(*low), tensor(*x), tensor(*high)], [tensor(*x)])


def one_hot(indices=(1, 1), on=()):
    values = [const(np.zeros(on)), const(np.zeros(on))]
    return site("ONE_HOT", [tensor(*indices, dtype="int32"), ints(4), *values], [tensor(*indices, 4)], axis=-1)


def update(operand="float32", rank=2):
    return site(
        "DYNAMIC_UPDATE_SLICE",
        [tensor(*[4] * 2, dtype=operand), tensor(*[2] * rank), ints(0, 0)],
        [tensor(4, 4)],
    )


def in_graph(ops, index):
    return Site(ops[index], Surroundings.of(graph_of(ops)))


def comparison(reader="CAST", result="float32"):
    x, y, flag = tensor(4), tensor(4), tensor(4, dtype="bool")
    ops = [op("GREATER", [x, y], [flag])]
    if reader == "CAST":
        ops.append(op("CAST", [flag], [tensor(4, dtype=result)]))
    elif reader:
        ops.append(op(reader, [flag], [tensor(4, dtype="bool")]))
    return in_graph(ops, 0)


def bool_cast(maker="GREATER"):
    flag = tensor(4, dtype="bool")
    ops = [op("CAST", [flag], [tensor(4)])]
    if maker:
        source = [tensor(4, dtype="bool" if maker.startswith("LOGICAL") else "float32") for _ in range(2)]
        ops.insert(0, op(maker, source, [flag]))
    return in_graph(ops, len(ops) - 1)


def same_twice():
    x = tensor(4)
    return add(x, x)


RUN_TIME = tensor(2, dtype="int32")
PADS = [[0, 0], [1, 1], [1, 1], [0, 0]]
CHANNEL_PADS = [[0, 0], [0, 0], [0, 0], [1, 1]]
BATCH_PADS = [[1, 1], [0, 0], [0, 0], [0, 0]]
PER_CHANNEL = {"dtype": "int8", "scale": [0.1] * 4}

# name: (holds, breaks) or (holds, breaks, open)
CASES = {
    "activation_none": (add(tensor(4), tensor(4)), add(tensor(4), tensor(4), fused_activation_function="RELU")),
    "alpha_channels_or_full": (
        site("PRELU", [tensor(1, 4, 4, 3), weights(1, 1, 3)], [tensor(1, 4, 4, 3)]),
        site("PRELU", [tensor(1, 4, 4, 3), tensor(3)], [tensor(1, 4, 4, 3)]),
    ),
    "alpha_innermost": (
        site("PRELU", [tensor(1, 4, 4, 3), weights(1, 1, 3)], [tensor(1, 4, 4, 3)]),
        site("PRELU", [tensor(1, 4, 4, 3), weights(4, 4, 3)], [tensor(1, 4, 4, 3)]),
    ),
    "arg_axis_scalar": (
        site("ARG_MAX", [tensor(2, 3), ints(1)], [tensor(2, dtype="int32")]),
        site("ARG_MAX", [tensor(2, 3), ints(0, 1)], [tensor(2, dtype="int32")]),
    ),
    "at_most_3_dims_over_1": (relu(1, 4, 4, 3), relu(2, 4, 4, 3)),
    "axes_height_width": (reduce(ints(1, 2)), reduce(ints(3)), reduce(RUN_TIME)),
    "axis_below_rank": (concat([tensor(1, 4, 4, 3)] * 2, 3), concat([tensor(1, 4, 4, 3)] * 2, 4)),
    "axis_last": (concat([tensor(1, 4, 4, 3)] * 2, 3), concat([tensor(1, 4, 4, 3)] * 2, 1)),
    "axis_not_last": (concat([tensor(1, 4, 4, 3)] * 2, 1), concat([tensor(1, 4, 4, 3)] * 2, -1)),
    "axis_within_rank_4": (
        concat([tensor(1, 4, 4, 3)] * 2, 3),
        concat([tensor(1, 1, 4, 4, 3)] * 2, 3, (1, 1, 4, 8, 3)),
    ),
    "batch_1": (relu(1, 4, 4, 3), relu(2, 4, 4, 3)),
    "batch_kept": (relu(2, 3), site("RESHAPE", [tensor(2, 3)], [tensor(3, 2)])),
    "begin_size_equal_length": (
        slice_of((4, 4), ints(0, 0), ints(2, 2)),
        slice_of((4, 4), ints(0, 0), ints(2)),
    ),
    "bias_given": (conv(), site("CONV_2D", [tensor(1, 4, 4, 3), weights(2, 1, 1, 3), None], [tensor(1, 4, 4, 2)])),
    "bias_per_output_channel": (dense(), dense(bias=weights(3))),
    "bitcast_shapes": (
        site("BITCAST", [tensor(4)], [tensor(4, dtype="int32")]),
        site("BITCAST", [tensor(4)], [tensor(4, 4, dtype="int16")]),
    ),
    "block_divides": (
        site("SPACE_TO_DEPTH", [tensor(1, 4, 4, 3)], [tensor(1, 2, 2, 12)], block_size=2),
        site("SPACE_TO_DEPTH", [tensor(1, 5, 4, 3)], [tensor(1, 2, 2, 12)], block_size=2),
    ),
    "bool_cast_reads_comparison": (bool_cast(), bool_cast(None), bool_cast("LOGICAL_AND")),
    "branches_like_output": (select(), select(yes=(2, 4), out=(3, 2, 4))),
    "comparison_feeds_select": (comparison(), comparison("LOGICAL_NOT")),
    "condition_broadcasts": (select((1, 4), (3, 4), (3, 4), (3, 4)), select((2, 4), (3, 4), (3, 4), (3, 4))),
    "condition_like_input": (select(), select((1, 4))),
    "constant_is_zero_padding": (
        concat([tensor(1, 4, 4, 3), const(np.zeros((1, 4, 4, 3)))]),
        concat([tensor(1, 4, 4, 3), weights(1, 4, 4, 3)]),
    ),
    "constant_right_rank_2": (matmul(b=(4, 5), right=weights), matmul(right=weights)),
    "constant_right_rank_2_to_4": (matmul(right=weights), matmul((2, 2, 2, 3, 4), (2, 2, 2, 4, 5), weights)),
    "coreml_broadcast": (
        add(tensor(1, 4, 4, 3), tensor(1, 1, 1, 3)),
        add(tensor(1, 4, 4, 3), tensor(1, 4, 1, 3)),
    ),
    "coreml_elementwise_types": (add(tensor(4), tensor(4)), add(tensor(4, dtype="float16"), tensor(4))),
    "crops_zero": (
        site("BATCH_TO_SPACE_ND", [tensor(4, 2, 2, 3), ints(2, 2), const(np.zeros((2, 2)), "int32")], [tensor(1)]),
        site("BATCH_TO_SPACE_ND", [tensor(4, 2, 2, 3), ints(2, 2), const(np.ones((2, 2)), "int32")], [tensor(1)]),
        site("BATCH_TO_SPACE_ND", [tensor(4, 2, 2, 3), ints(2, 2), tensor(2, 2, dtype="int32")], [tensor(1)]),
    ),
    "depth_multiplier_divides": (depthwise(multiplier=2), depthwise(multiplier=2, out=7)),
    "depthwise_channels": (depthwise(multiplier=2), depthwise(multiplier=2, out=4)),
    "dilation_needs_stride_1": (
        depthwise(dilation_h_factor=2, stride_h=1, stride_w=1),
        depthwise(dilation_h_factor=2, stride_h=2, stride_w=2),
    ),
    "embedding_shapes": (
        site("EMBEDDING_LOOKUP", [ints(0, 1), weights(9, 4)], [tensor(2, 4)]),
        site("EMBEDDING_LOOKUP", [ints(0, 1), weights(9, 4)], [tensor(2, 5)]),
    ),
    "filter_height_2": (depthwise(), depthwise(kernel=1)),
    "float_rank_4": (relu(1, 4, 4, 3), relu(4, 3)),
    "fully_connected_types": (dense(), dense(x=i8(1, 8), w=weights(4, 8), out=i8(1, 4))),
    "fully_connected_width": (dense(), dense(x=tensor(2, 4))),
    "hexagon_depth_multiplier": (depthwise((1, 8, 8, 1), 4), depthwise((1, 8, 8, 2), 2)),
    "indices_last_1": (one_hot((3, 1)), one_hot((1, 3))),
    "indices_not_scalar": (
        site("GATHER", [tensor(4), ints(0)], [tensor(1)]),
        site("GATHER", [tensor(4), const(0, "int32")], [tensor()]),
    ),
    "input_constant": (site("DENSIFY", [weights(4)], [tensor(4)]), site("DENSIFY", [tensor(4)], [tensor(4)])),
    "input_not_constant": (relu(4), site("RELU", [weights(4)], [tensor(4)])),
    "input_not_int16": (cast("int8", "float32"), cast("int16", "float32")),
    "input_not_scalar": (relu(1), relu()),
    "input_output_same_type": (relu(4), cast("float32", "int32")),
    "input_per_tensor": (
        site("LEAKY_RELU", [i8(2)], [i8(2)]),
        site("LEAKY_RELU", [tensor(4, **PER_CHANNEL)], [i8(4)]),
    ),
    "input_quantized": (site("DEQUANTIZE", [i8(2)], [tensor(2)]), cast("int8", "float32")),
    "inputs_20_or_24": (
        site("UNIDIRECTIONAL_SEQUENCE_LSTM", [tensor(2)] * 20, [tensor(2)]),
        site("UNIDIRECTIONAL_SEQUENCE_LSTM", [tensor(2)] * 5, [tensor(2)]),
    ),
    "inputs_8_bit": (concat([i8(1, 4, 4, 3)] * 2), concat([i8(1, 4, 4, 3), tensor(1, 4, 4, 3)])),
    "inputs_and_output_same_type": (
        add(tensor(4), tensor(4)),
        site("ADD", [tensor(4), tensor(4)], [tensor(4, dtype="int32")]),
    ),
    "inputs_int32": (add(tensor(4, dtype="int32"), ints(1)), add(tensor(4), tensor(4))),
    "inputs_not_empty": (relu(2, 3), relu(2, 0)),
    "inputs_same_type": (matmul(), matmul(right=weights, dtype="int8", scale=1)),
    "int2_channels_of_4": (dense(w=weights(4, 8, dtype="int2")), dense(w=weights(4, 6, dtype="int2"))),
    "int32_without_activation": (
        add(tensor(4, dtype="int32"), tensor(4, dtype="int32")),
        add(tensor(4, dtype="int32"), tensor(4, dtype="int32"), fused_activation_function="RELU"),
    ),
    "int4_even_channels": (dense(w=weights(4, 8, dtype="int4")), dense(w=weights(4, 7, dtype="int4"))),
    "int64_axis_fits": (
        site("ARG_MAX", [tensor(4), ints(0, dtype="int64")], [tensor(dtype="int32")]),
        site("ARG_MAX", [tensor(4), tensor(1, dtype="int64")], [tensor(dtype="int32")]),
    ),
    "int8_zero_point_0": (
        site("DEQUANTIZE", [i8(2)], [tensor(2)]),
        site("DEQUANTIZE", [i8(2, zero=3)], [tensor(2)]),
    ),
    "keep_num_dims_rank": (
        dense(keep_num_dims=True),
        dense(x=tensor(1, 1, 8), keep_num_dims=True),
    ),
    "kernel_at_most_16384": (conv(), conv((1, 1, 1, 1), (1, 16385, 1, 1))),
    "limits_like_input": (clamp(), clamp(low=(3,))),
    "mirror_pad_plain": (
        site("MIRROR_PAD", [tensor(2, 2), const([[1, 1], [1, 1]], "int32")], [tensor(4, 4)], mode="REFLECT"),
        site("MIRROR_PAD", [tensor(2, 0), const([[1, 1], [1, 1]], "int32")], [tensor(4, 2)], mode="REFLECT"),
    ),
    "no_bool_input": (relu(4), cast("bool", "float32")),
    "no_dilation": (conv(), conv(dilation_w_factor=2)),
    "no_hybrid": (dense(), dense(w=weights(4, 8, dtype="int8", scale=1))),
    "no_keep_num_dims": (dense(), dense(keep_num_dims=True)),
    "no_resize_flags": (resize(), resize(half=True)),
    "no_strided_1x1_window": (pool((1, 1), (1, 1)), pool((1, 1), (2, 2))),
    "not_along_batch": (reduce(ints(1)), reduce(ints(0)), reduce(RUN_TIME)),
    "not_both_resize_flags": (resize(half=True), resize(True, True)),
    "on_off_one_value": (one_hot(), one_hot(on=(2,))),
    "one_axis": (
        site("REVERSE_V2", [tensor(2, 3), ints(1)], [tensor(2, 3)]),
        site("REVERSE_V2", [tensor(2, 3), ints(0, 1)], [tensor(2, 3)]),
        site("REVERSE_V2", [tensor(2, 3), RUN_TIME], [tensor(2, 3)]),
    ),
    "one_dimensional_16000": (relu(1, 16000), relu(1, 16001)),
    "one_hot_index_dims": (one_hot((1, 4)), one_hot((2, 4))),
    "only_begin_end_shrink_masks": (strided(shrink_axis_mask=1), strided(new_axis_mask=1)),
    "only_last_dim_over_1": (dense(), dense(x=tensor(2, 8))),
    "output_not_int16": (relu(4), cast("float32", "int16")),
    "output_not_scalar": (relu(4), relu()),
    "output_one_dimensional": (dense(), dense(out=tensor(2, 4))),
    "output_quantized": (site("QUANTIZE", [tensor(2)], [i8(2)]), cast("float32", "int8")),
    "output_rank_3_or_4": (relu(1, 2, 3), relu(2, 3)),
    "output_shape_has_four": (transpose_conv(), transpose_conv(shape=3)),
    "output_shape_static": (relu(4), relu(4, shape_signature=(-1,))),
    "output_square": (resize(), site("RESIZE_BILINEAR", [tensor(1, 2, 2, 3), ints(2, 4)], [tensor(1, 2, 4, 3)])),
    "paddings_3_or_4": (pad(PADS), pad([[0, 0], [1, 1]], (2, 2))),
    "paddings_not_negative": (pad(PADS), pad([[0, 0], [-1, 1], [0, 0], [0, 0]]), pad(tensor(4, 2, dtype="int32"))),
    "paddings_spatial_only": (pad(PADS), pad(CHANNEL_PADS), pad(tensor(4, 2, dtype="int32"))),
    "parameters_constant": (conv(), dense(w=tensor(4, 8))),
    "perm_2_to_4": (
        site("TRANSPOSE", [tensor(2, 3), ints(1, 0)], [tensor(3, 2)]),
        site("TRANSPOSE", [tensor(*[2] * 5), ints(4, 3, 2, 1, 0)], [tensor(*[2] * 5)]),
    ),
    "quantize_pairs": (
        site("QUANTIZE", [tensor(2)], [i8(2)]),
        site("QUANTIZE", [i8(2)], [tensor(2, dtype="uint8", scale=1)]),
    ),
    "quantized_window_256": (pool((16, 16), x=i8(1, 32, 32, 3)), pool((16, 17), x=i8(1, 32, 32, 3))),
    "rank_2_or_4": (relu(2, 3), relu(2, 3, 4)),
    "reshape_not_legacy": (
        site("RESHAPE", [tensor(1), ints(1)], [tensor(1)]),
        site("RESHAPE", [tensor(1), ints(0)], [tensor()]),
    ),
    "reshape_shape_is_vector": (
        site("RESHAPE", [tensor(4), const([[2, 2]], "int32")], [tensor(2, 2)]),
        site("RESHAPE", [tensor(4), const([[2], [2]], "int32")], [tensor(2, 2)]),
    ),
    "runtime_inputs_differ": (add(tensor(4), tensor(4)), same_twice()),
    "runtime_weights_ungrouped": (
        conv(),
        site("CONV_2D", [tensor(1, 4, 4, 4), tensor(6, 3, 3, 2)], [tensor(1, 4, 4, 6)]),
    ),
    "same_batch": (matmul(), matmul(b=(1, 4, 5))),
    "same_dilation": (conv(dilation_h_factor=2, dilation_w_factor=2), conv(dilation_h_factor=2)),
    "same_window_below_13": (pool((12, 12)), pool((13, 2))),
    "scalars_constant": (add(tensor(4), const(1.0)), add(tensor(4), tensor())),
    "scales_positive": (relu(4, scale=0.1, dtype="int8"), relu(4, scale=0.0, dtype="int8")),
    "size_has_two": (resize(), resize(size=ints(1, 2, 3))),
    "sizes_positive": (resize(), resize(size=ints(0, 8)), resize(size=RUN_TIME)),
    "slice_full_rank": (slice_of((4, 4), ints(0, 0), ints(2, 2)), slice_of((4, 4), ints(0), ints(2))),
    "slice_sizes_positive": (
        slice_of((4,), ints(0), ints(2)),
        slice_of((4,), ints(0), ints(-1)),
        slice_of((4,), ints(0), RUN_TIME),
    ),
    "spatial_only": (pad(PADS), pad(CHANNEL_PADS), reduce(RUN_TIME)),
    "split_sizes_fit": (
        site("SPLIT_V", [tensor(4), ints(1, 3), ints(0)], [tensor(1), tensor(3)]),
        site("SPLIT_V", [tensor(4), ints(-1, -1), ints(0)], [tensor(1), tensor(3)]),
        site("SPLIT_V", [tensor(4), RUN_TIME, ints(0)], [tensor(1), tensor(3)]),
    ),
    "split_sizes_nonzero": (
        site("SPLIT_V", [tensor(4), ints(1, 3), ints(0)], [tensor(1), tensor(3)]),
        site("SPLIT_V", [tensor(4), ints(0, 4), ints(0)], [tensor(0), tensor(4)]),
        site("SPLIT_V", [tensor(4), RUN_TIME, ints(0)], [tensor(1), tensor(3)]),
    ),
    "splits_are_outputs": (
        site("SPLIT", [ints(0), tensor(4)], [tensor(2)] * 2, num_splits=2),
        site("SPLIT", [ints(0), tensor(4)], [tensor(2)] * 2, num_splits=3),
    ),
    "static_shapes": (relu(4), relu(4, shape_signature=(-1,))),
    "strided_slice_full_rank": (strided(), strided(entries=1)),
    "strides_positive": (
        strided(),
        strided(stride=-1),
        site("STRIDED_SLICE", [tensor(4), ints(0), ints(2), RUN_TIME], [tensor(2)]),
    ),
    "transpose_conv_channels": (transpose_conv(), transpose_conv(w=(6, 3, 3, 7))),
    "transpose_conv_same": (transpose_conv(), transpose_conv(w=(6, 1, 1, 8))),
    "transpose_conv_valid": (
        transpose_conv(out=(1, 9, 9, 6), padding="VALID"),
        transpose_conv(w=(6, 9, 9, 8), padding="VALID"),
    ),
    "two_inputs": (add(tensor(4), tensor(4)), relu(4)),
    "update_fits_operand": (update(), update("int32")),
    "update_rank_fits": (update(), update(rank=1)),
    "version_1_or_2": (
        site("DEQUANTIZE", [i8(2)], [tensor(2)], version=2),
        site("DEQUANTIZE", [i8(2)], [tensor(2)], version=3),
    ),
    "weights_and_bias_types_fit": (dense(), dense(bias=weights(4, dtype="float16"))),
    "weights_float": (dense(), dense(w=weights(4, 8, dtype="int8", scale=1))),
    "weights_per_tensor": (dense(), dense(w=weights(4, 8, **PER_CHANNEL))),
    "z_multiple_of_4": (reduce(ints(3)), reduce(ints(3), (2, 4, 4, 7)), reduce(RUN_TIME)),
}


def test_every_relation_has_a_case():
    assert set(CASES) == set(RELATIONS)


@pytest.mark.parametrize("name", sorted(CASES))
def test_relation_holds_and_breaks(name):
    answers = [RELATIONS[name](where) for where in CASES[name]]
    assert answers == [True, False, None][: len(answers)]


@pytest.mark.parametrize("kind_and_axes", [("SUM", ints(0)), ("REDUCE_MAX", ints(-4))])
def test_batch_axis_is_found_from_either_end(kind_and_axes):
    kind, axes = kind_and_axes
    assert RELATIONS["not_along_batch"](reduce(axes, kind=kind)) is False


def test_batch_of_pads_packs_and_splits():
    rule = RELATIONS["not_along_batch"]
    assert rule(pad(PADS)) is True
    assert rule(pad(BATCH_PADS)) is False
    assert rule(site("PACK", [tensor(2, 3)] * 2, [tensor(2, 2, 3)], axis=0)) is False
    assert rule(site("PACK", [tensor(2, 3)] * 2, [tensor(2, 3, 2)], axis=-1)) is True
    assert rule(site("SPLIT", [ints(0), tensor(4, 3)], [tensor(2, 3)] * 2)) is False
    assert rule(site("SPLIT", [ints(1), tensor(4, 4)], [tensor(4, 2)] * 2)) is True


@pytest.mark.parametrize(
    ("reader", "result"), [(None, "float32"), ("CAST", "int32")], ids=["leaves the graph", "made an integer"]
)
def test_a_bool_that_the_gpu_cannot_keep(reader, result):
    assert RELATIONS["comparison_feeds_select"](comparison(reader, result)) is False


@pytest.mark.parametrize("ranks", [(5, 5), (5, 1), (4, 5)])
def test_coreml_knows_no_more_than_four_dims(ranks):
    operands = [tensor(*([1] * (rank - 1)), 3) for rank in ranks]
    assert RELATIONS["coreml_broadcast"](add(*operands)) is False
