"""Relations between an op's tensors and options that the plainer kinds of rule cannot say, each under its own name.

A relation answers True (holds), False (broken), or None where a value it needs is not known before the first run.
An input that the relation is about and that the op does not have makes it hold: the number of inputs is another rule's
business. Tables name a relation in ``{"kind": "relation", "rule": NAME, "text": the sentence shown to people}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from mobilekit.compat.site import Site
from mobilekit.graph.ir import Tensor

Relation = Callable[[Site], "bool | None"]
RELATIONS: dict[str, Relation] = {}

_FLOAT = frozenset({"float32", "float16", "bfloat16"})
_EIGHT_BIT = frozenset({"int8", "uint8"})


def _relation(function: Relation) -> Relation:
    RELATIONS[function.__name__] = function
    return function


def _same_types(tensors: Sequence[Tensor | None]) -> bool:
    return len({tensor.dtype for tensor in tensors if tensor is not None}) <= 1


def _sizes(site: Site, index: int) -> list[int] | None:
    values = site.values(index)
    return None if values is None else [int(value) for value in np.ravel(values)]


# Shapes of single tensors.


@_relation
def inputs_not_empty(site: Site) -> bool:
    return all(dim > 0 for tensor in site.inputs for dim in tensor.shape)


@_relation
def static_shapes(site: Site) -> bool:
    return all(
        tensor.shape_signature is None or min(tensor.shape_signature, default=0) >= 0
        for tensor in (*site.inputs, *site.op.outputs)
    )


@_relation
def at_most_3_dims_over_1(site: Site) -> bool:
    """Of activations; weights are the compiler's own to lay out."""
    return all(dim == 1 for tensor in (*site.runtime_inputs, *site.op.outputs) for dim in tensor.shape[:-3])


@_relation
def input_not_scalar(site: Site) -> bool:
    data = site.data
    return data is None or data.rank > 0


@_relation
def indices_not_scalar(site: Site) -> bool:
    indices = site.input(1)
    return indices is None or indices.rank > 0


@_relation
def output_not_scalar(site: Site) -> bool:
    output = site.output()
    return output is None or output.rank > 0


@_relation
def output_rank_3_or_4(site: Site) -> bool:
    return all(tensor.rank in (3, 4) for tensor in site.op.outputs)


@_relation
def output_square(site: Site) -> bool:
    return all(tensor.rank == 4 and tensor.shape[1] == tensor.shape[2] for tensor in site.op.outputs)


@_relation
def output_shape_static(site: Site) -> bool:
    return all(tensor.shape_signature is None or min(tensor.shape_signature) >= 0 for tensor in site.op.outputs)


@_relation
def output_one_dimensional(site: Site) -> bool:
    return all(tensor.size == (tensor.shape[-1] if tensor.shape else 1) for tensor in site.op.outputs)


@_relation
def one_dimensional_16000(site: Site) -> bool:
    data = site.data
    return data is None or (data.size == (data.shape[-1] if data.shape else 1) and data.size <= 16000)


@_relation
def only_last_dim_over_1(site: Site) -> bool:
    data = site.data
    return data is None or all(dim == 1 for dim in data.shape[:-1])


@_relation
def batch_1(site: Site) -> bool:
    data = site.data
    return data is None or data.rank < 4 or data.shape[0] == 1


@_relation
def rank_2_or_4(site: Site) -> bool:
    data = site.data
    return data is None or data.rank in (2, 4)


@_relation
def float_rank_4(site: Site) -> bool:
    data = site.data
    return data is None or (data.dtype == "float32" and data.rank == 4)


# Types and quantization.


@_relation
def inputs_and_output_same_type(site: Site) -> bool:
    return _same_types([*site.inputs, *site.op.outputs])


@_relation
def input_output_same_type(site: Site) -> bool:
    return _same_types([site.data, site.output()])


@_relation
def inputs_same_type(site: Site) -> bool:
    return _same_types(site.inputs)


@_relation
def inputs_int32(site: Site) -> bool:
    return all(tensor.dtype == "int32" for tensor in site.inputs)


@_relation
def inputs_8_bit(site: Site) -> bool:
    return all(tensor.dtype in _EIGHT_BIT for tensor in site.inputs)


@_relation
def no_bool_input(site: Site) -> bool:
    return all(tensor.dtype != "bool" for tensor in site.inputs)


@_relation
def input_not_int16(site: Site) -> bool:
    return all(tensor.dtype != "int16" for tensor in site.inputs[:1])


@_relation
def output_not_int16(site: Site) -> bool:
    return all(tensor.dtype != "int16" for tensor in site.op.outputs)


@_relation
def input_quantized(site: Site) -> bool:
    # Float16 constants are widened by DEQUANTIZE and carry no scale.
    return all(tensor.quantization is not None or tensor.dtype == "float16" for tensor in site.inputs[:1])


@_relation
def output_quantized(site: Site) -> bool:
    return all(tensor.quantization is not None for tensor in site.op.outputs)


@_relation
def input_per_tensor(site: Site) -> bool:
    return all(
        t.dtype in _FLOAT or (t.quantization is not None and not t.quantization.is_per_axis) for t in site.inputs[:1]
    )


@_relation
def scales_positive(site: Site) -> bool:
    scales = [t.quantization.scale for t in (*site.inputs, *site.op.outputs) if t.quantization is not None]
    return all(bool(np.all(scale > 0)) for scale in scales)


@_relation
def int8_zero_point_0(site: Site) -> bool:
    data = site.data
    return data is None or data.dtype != "int8" or data.quantization is None or not np.any(data.quantization.zero_point)


@_relation
def quantize_pairs(site: Site) -> bool:
    """XNNPACK's VisitQuantizeNode: float to anything it has, 8 bits only to the same kind of 8 bits."""
    source, result = site.input(0), site.output()
    if source is None or result is None:
        return True
    if source.dtype in _FLOAT:
        return result.dtype in _EIGHT_BIT or result.dtype in _FLOAT
    return source.dtype in _EIGHT_BIT and result.dtype == source.dtype


@_relation
def no_hybrid(site: Site) -> bool:
    """Hybrid: float activations with 8-bit weights."""
    data = site.data
    return data is None or data.dtype not in _FLOAT or all(t.dtype not in _EIGHT_BIT for t in site.inputs)


@_relation
def weights_float(site: Site) -> bool:
    return all(tensor is None or tensor.dtype in _FLOAT for tensor in (site.weights, site.bias))


@_relation
def weights_per_tensor(site: Site) -> bool:
    weights = site.weights
    return weights is None or weights.quantization is None or not weights.quantization.is_per_axis


@_relation
def weights_and_bias_types_fit(site: Site) -> bool:
    weights, bias = site.weights, site.bias
    if weights is None or bias is None or weights.dtype not in _FLOAT:
        return True
    return weights.dtype == bias.dtype or (weights.dtype == "float16" and bias.dtype == "float32")


@_relation
def fully_connected_types(site: Site) -> bool:
    """Same types at input, weights and output, but for hybrid (float with few-bit weights) and int8 with sub-8-bit."""
    data, weights, output = site.data, site.weights, site.output()
    if data is None or weights is None or output is None:
        return True
    if data.dtype != output.dtype:
        return False
    if data.dtype in _FLOAT:
        return weights.dtype in _FLOAT | {"int8", "int4", "int2"}
    return weights.dtype == data.dtype or (data.dtype == "int8" and weights.dtype in ("int4", "int2"))


@_relation
def coreml_elementwise_types(site: Site) -> bool:
    return all(t.dtype == "float32" or (t.dtype == "float16" and site.is_static(t)) for t in site.inputs)


# Convolutions and pooling.


@_relation
def bias_given(site: Site) -> bool:
    return site.bias is not None


@_relation
def parameters_constant(site: Site) -> bool:
    # The product of two activations is no layer with weights.
    if site.op.kind == "BATCH_MATMUL":
        return True
    return all(tensor is None or site.is_static(tensor) for tensor in (site.weights, site.bias))


@_relation
def bias_per_output_channel(site: Site) -> bool:
    bias, output = site.bias, site.output()
    return bias is None or output is None or not output.shape or bias.size == output.shape[-1]


@_relation
def depth_multiplier_divides(site: Site) -> bool:
    output = site.output()
    return output is None or output.shape[-1] % max(int(site.option("depth_multiplier") or 1), 1) == 0


@_relation
def depthwise_channels(site: Site) -> bool:
    data, weights, output = site.data, site.weights, site.output()
    if data is None or weights is None or output is None:
        return True
    return weights.shape[-1] == output.shape[-1] == data.shape[-1] * int(site.option("depth_multiplier"))


@_relation
def batch_kept(site: Site) -> bool:
    data, output = site.data, site.output()
    return data is None or output is None or data.shape[:1] == output.shape[:1]


@_relation
def runtime_weights_ungrouped(site: Site) -> bool:
    data, weights = site.data, site.weights
    return data is None or weights is None or site.is_static(weights) or data.shape[-1] == weights.shape[-1]


@_relation
def kernel_at_most_16384(site: Site) -> bool:
    weights = site.weights
    return weights is None or max(weights.shape[1:3], default=0) <= 16384


@_relation
def filter_height_2(site: Site) -> bool:
    weights = site.weights
    return weights is None or weights.shape[1] >= 2


@_relation
def no_dilation(site: Site) -> bool:
    return bool(site.option("dilation_h") == site.option("dilation_w") == 1)


@_relation
def same_dilation(site: Site) -> bool:
    return bool(site.option("dilation_h") == site.option("dilation_w"))


@_relation
def dilation_needs_stride_1(site: Site) -> bool:
    return no_dilation(site) is True or bool(site.option("stride_h") == site.option("stride_w") == 1)


@_relation
def hexagon_depth_multiplier(site: Site) -> bool:
    data = site.data
    if site.option("depth_multiplier") == 1 or data is None:
        return True
    return data.shape[-1] == 1 and no_dilation(site) is True


@_relation
def no_strided_1x1_window(site: Site) -> bool:
    window = (site.option("filter_h"), site.option("filter_w"))
    return window != (1, 1) or (site.option("stride_h"), site.option("stride_w")) == (1, 1)


@_relation
def same_window_below_13(site: Site) -> bool:
    return bool(site.option("padding") != "SAME" or max(site.option("filter_h"), site.option("filter_w")) < 13)


@_relation
def quantized_window_256(site: Site) -> bool:
    data = site.data
    return data is None or data.dtype not in _EIGHT_BIT or site.option("filter_h") * site.option("filter_w") <= 256


@_relation
def output_shape_has_four(site: Site) -> bool:
    shape = site.input(0)
    return shape is None or shape.size == 4


@_relation
def transpose_conv_channels(site: Site) -> bool:
    """Weights [out, h, w, in] against the data's channels and the output shape."""
    data, weights, output = site.data, site.weights, site.output()
    if data is None or weights is None or output is None:
        return True
    return weights.shape[0] == output.shape[-1] and weights.shape[3] == data.shape[-1]


@_relation
def transpose_conv_same(site: Site) -> bool:
    """XNNPACK: with SAME the kernel covers the stride and the input is the output divided by the stride, rounded up."""
    data, weights, output = site.data, site.weights, site.output()
    if site.option("padding") != "SAME" or data is None or weights is None or output is None:
        return True
    strides = (site.option("stride_h"), site.option("stride_w"))
    return all(
        weights.shape[axis] >= stride and data.shape[axis] == math.ceil(output.shape[axis] / stride)
        for axis, stride in zip((1, 2), strides, strict=True)
    )


@_relation
def transpose_conv_valid(site: Site) -> bool:
    weights, output = site.weights, site.output()
    if site.option("padding") != "VALID" or weights is None or output is None:
        return True
    return all(output.shape[axis] >= weights.shape[axis] for axis in (1, 2))


# Dense layers and products.


@_relation
def fully_connected_width(site: Site) -> bool:
    data, weights = site.data, site.weights
    return data is None or weights is None or data.shape[-1:] == weights.shape[-1:]


@_relation
def int4_even_channels(site: Site) -> bool:
    weights = site.weights
    return weights is None or weights.dtype != "int4" or weights.shape[-1] % 2 == 0


@_relation
def int2_channels_of_4(site: Site) -> bool:
    weights = site.weights
    return weights is None or weights.dtype != "int2" or weights.shape[-1] % 4 == 0


@_relation
def keep_num_dims_rank(site: Site) -> bool:
    data, output = site.data, site.output()
    return not site.option("keep_num_dims") or data is None or output is None or data.rank == output.rank


@_relation
def no_keep_num_dims(site: Site) -> bool:
    return not site.option("keep_num_dims")


@_relation
def constant_right_rank_2(site: Site) -> bool:
    right = site.input(1)
    return right is None or not site.is_static(right) or right.rank == 2


@_relation
def constant_right_rank_2_to_4(site: Site) -> bool:
    right = site.input(1)
    return right is None or not site.is_static(right) or 2 <= right.rank <= 4


@_relation
def same_batch(site: Site) -> bool:
    shapes = [tensor.shape[:-2] for tensor in site.inputs[:2]]
    return len(set(shapes)) <= 1


# Two operands and conditions.


@_relation
def runtime_inputs_differ(site: Site) -> bool:
    tensors = site.runtime_inputs[:2]
    return len(tensors) < 2 or tensors[0] is not tensors[1]


@_relation
def scalars_constant(site: Site) -> bool:
    return all(tensor.rank > 0 or site.is_static(tensor) for tensor in site.inputs)


@_relation
def int32_without_activation(site: Site) -> bool:
    return site.activation_dtype != "int32" or activation_none(site) is True


@_relation
def activation_none(site: Site) -> bool:
    return (site.option("fused_activation_function") or "NONE") == "NONE"


@_relation
def coreml_broadcast(site: Site) -> bool:
    """Core ML's IsBinaryOpSupported, on shapes widened to four dims from the left; more dims it does not know."""
    tensors = site.inputs[:2]
    if len(tensors) < 2:
        return True
    if any(tensor.rank > 4 for tensor in tensors):
        return False
    first, second = ((1,) * (4 - tensor.rank) + tensor.shape for tensor in tensors)
    one_element = any(t.size == 1 and site.is_static(t) for t in tensors)
    if first[0] != second[0] and not one_element:
        return False
    planes = (first[1:3], second[1:3])
    return (planes[0] == planes[1] or (1, 1) in planes) and (first[3] == second[3] or 1 in (first[3], second[3]))


@_relation
def condition_like_input(site: Site) -> bool:
    condition, first = site.input(0), site.input(1)
    return condition is None or first is None or condition.shape == first.shape


@_relation
def condition_broadcasts(site: Site) -> bool:
    condition, output = site.input(0), site.output()
    if condition is None or output is None:
        return True
    try:
        return np.broadcast_shapes(condition.shape, output.shape) == output.shape
    except ValueError:
        return False


@_relation
def branches_like_output(site: Site) -> bool:
    output = site.output()
    branches = [tensor for tensor in (site.input(1), site.input(2)) if tensor is not None]
    if output is None:
        return True
    for branch in branches:
        if branch.shape != output.shape and branch.size != 1:
            return False
        if branch.rank == 2 and not site.is_static(branch):
            return False
    return True


@_relation
def limits_like_input(site: Site) -> bool:
    """STABLEHLO_CLAMP takes (min, operand, max)."""
    operand = site.input(1)
    limits = [tensor for tensor in (site.input(0), site.input(2)) if tensor is not None]
    return operand is None or all(limit.shape == operand.shape or limit.size == 1 for limit in limits)


@_relation
def comparison_feeds_select(site: Site) -> bool:
    """The classic GPU delegate keeps a bool only between a comparison and the one op that turns it into floats."""
    for tensor in site.op.outputs:
        readers = site.around.consumers.get(tensor, [])
        if tensor in site.around.outputs or len(readers) != 1 or readers[0].kind not in ("CAST", "SELECT", "SELECT_V2"):
            return False
        if any(result.dtype not in _FLOAT for result in readers[0].outputs):
            return False
    return True


_COMPARISONS = frozenset({"EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"})


@_relation
def bool_cast_reads_comparison(site: Site) -> bool | None:
    source, result = site.input(0), site.output()
    if source is None or result is None or source.dtype != "bool":
        return True
    maker = site.around.producers.get(source)
    if maker is None or source in site.around.outputs or len(site.around.consumers.get(source, [])) != 1:
        return False
    return True if maker.kind in _COMPARISONS else None


# Axes.


@_relation
def axis_below_rank(site: Site) -> bool:
    axis, data = site.option("axis"), site.input(0)
    return axis is None or data is None or -data.rank <= axis < data.rank


@_relation
def axis_within_rank_4(site: Site) -> bool:
    axis, output = site.option("axis"), site.output()
    return axis is None or output is None or (output.rank <= 4 and -output.rank <= axis < output.rank)


@_relation
def axis_last(site: Site) -> bool:
    axis, output = site.option("axis"), site.output()
    return axis is None or output is None or axis in (-1, output.rank - 1)


@_relation
def axis_not_last(site: Site) -> bool:
    return axis_last(site) is not True


@_relation
def one_axis(site: Site) -> bool | None:
    axes = _sizes(site, 1)
    return None if axes is None else len(axes) == 1


@_relation
def axes_height_width(site: Site) -> bool | None:
    axes = site.axes()
    return None if axes is None else set(axes) <= {1, 2}


@_relation
def spatial_only(site: Site) -> bool | None:
    """Edge TPU before runtime 13: height and width of NHWC only; of a pad, no amount on the other dims."""
    if site.op.kind == "PAD":
        return paddings_spatial_only(site)
    return axes_height_width(site)


@_relation
def not_along_batch(site: Site) -> bool | None:
    data = site.data
    if data is None or data.rank < 2:
        return True
    kind = site.op.kind
    if kind == "PACK":
        return bool(site.option("axis") % (data.rank + 1) != 0)
    if kind == "PAD":
        amounts = site.values(1)
        return None if amounts is None else not np.any(amounts[0])
    axes = site.axes(0 if kind == "SPLIT" else 1)
    return None if axes is None else 0 not in axes


@_relation
def z_multiple_of_4(site: Site) -> bool | None:
    axes, data = site.axes(), site.data
    if axes is None or data is None:
        return None
    return data.rank - 1 not in axes or data.shape[-1] % 4 == 0


@_relation
def arg_axis_scalar(site: Site) -> bool:
    data, axis = site.input(0), site.input(1)
    return data is None or axis is None or (not site.is_static(data) and axis.size == 1 and axis.dtype == "int32")


@_relation
def int64_axis_fits(site: Site) -> bool | None:
    axis = site.input(1)
    if axis is None or axis.dtype != "int64":
        return True
    return axis.data is not None and bool(np.all(np.abs(axis.data) < 2**31))


# Slices, pads, reshapes, resizes.


@_relation
def paddings_not_negative(site: Site) -> bool | None:
    data, amounts = site.data, site.values(1)
    if data is None or amounts is None:
        return None
    return amounts.shape == (data.rank, 2) and not np.any(amounts < 0)


@_relation
def paddings_3_or_4(site: Site) -> bool:
    amounts = site.input(1)
    return amounts is None or amounts.shape in ((3, 2), (4, 2))


@_relation
def paddings_spatial_only(site: Site) -> bool | None:
    amounts = site.values(1)
    if amounts is None:
        return None
    return amounts.shape == (4, 2) and not np.any(amounts[[0, 3]])


@_relation
def reshape_not_legacy(site: Site) -> bool:
    shape = _sizes(site, 1)
    return (
        shape is None or shape != [0]
        if len(site.op.inputs) > 1
        else list(site.option("new_shape") or []) not in ([0], [-1])
    )


@_relation
def reshape_shape_is_vector(site: Site) -> bool:
    shape = site.input(1)
    return shape is None or all(dim == 1 for dim in shape.shape[:-1])


@_relation
def sizes_positive(site: Site) -> bool | None:
    sizes, tensor = _sizes(site, 1), site.input(1)
    return None if sizes is None or tensor is None else tensor.rank == 1 and min(sizes, default=0) > 0


@_relation
def size_has_two(site: Site) -> bool:
    size = site.input(1)
    return size is None or size.size == 2


@_relation
def begin_size_equal_length(site: Site) -> bool:
    begin, size = site.input(1), site.input(2)
    return begin is None or size is None or (begin.rank == size.rank == 1 and begin.shape == size.shape)


@_relation
def slice_sizes_positive(site: Site) -> bool | None:
    sizes = _sizes(site, 2)
    return None if sizes is None else min(sizes, default=1) > 0


@_relation
def slice_full_rank(site: Site) -> bool:
    data, begin = site.data, site.input(1)
    if data is None or begin is None:
        return True
    return begin.size == data.rank or (data.rank == 4 and begin.size == 3)


@_relation
def strided_slice_full_rank(site: Site) -> bool:
    data = site.data
    parts = [site.input(index) for index in (1, 2, 3)]
    return data is None or all(part is None or part.size == data.rank for part in parts)


@_relation
def strides_positive(site: Site) -> bool | None:
    strides = _sizes(site, 3)
    return None if strides is None else min(strides, default=1) > 0


@_relation
def only_begin_end_shrink_masks(site: Site) -> bool:
    return not site.option("ellipsis_mask") and not site.option("new_axis_mask")


@_relation
def block_divides(site: Site) -> bool:
    data = site.data
    block = int(site.option("block_size") or 1)
    return data is None or all(dim % block == 0 for dim in data.shape[1:3])


@_relation
def not_both_resize_flags(site: Site) -> bool:
    return not (site.option("align_corners") and site.option("half_pixel_centers"))


@_relation
def no_resize_flags(site: Site) -> bool:
    return not (site.option("align_corners") or site.option("half_pixel_centers"))


@_relation
def perm_2_to_4(site: Site) -> bool:
    order = site.input(1)
    return order is None or 2 <= order.size <= 4


@_relation
def crops_zero(site: Site) -> bool | None:
    crops = site.values(2)
    return None if crops is None else crops.shape[0] == 2 and not np.any(crops)


@_relation
def two_inputs(site: Site) -> bool:
    return len(site.op.inputs) == 2


@_relation
def mirror_pad_plain(site: Site) -> bool:
    return (
        len(site.op.inputs) == 2 and inputs_not_empty(site) is True and site.option("mode") in ("REFLECT", "SYMMETRIC")
    )


@_relation
def constant_is_zero_padding(site: Site) -> bool:
    """Edge TPU: a constant operand of CONCATENATION must be the zeros of a pad, next to one other input."""
    constants = [tensor for tensor in site.inputs if site.is_static(tensor)]
    if not constants:
        return True
    if len(site.inputs) != 2 or len(constants) != 1 or constants[0].data is None:
        return False
    quantization = constants[0].quantization
    zero = 0 if quantization is None else int(quantization.zero_point[0])
    return not np.any(constants[0].data != zero)


@_relation
def splits_are_outputs(site: Site) -> bool:
    return bool(site.option("num_splits") == len(site.op.outputs))


@_relation
def split_sizes_fit(site: Site) -> bool | None:
    sizes, axes, data = _sizes(site, 1), site.axes(2), site.data
    if sizes is None or axes is None or data is None:
        return None
    free = sizes.count(-1)
    total = sum(size for size in sizes if size >= 0)
    return free == 1 or (free == 0 and total == data.shape[axes[0]])


@_relation
def split_sizes_nonzero(site: Site) -> bool | None:
    sizes = _sizes(site, 1)
    return None if sizes is None else 0 not in sizes


# Inputs as such.


@_relation
def input_constant(site: Site) -> bool:
    tensor = site.input(0)
    return tensor is None or site.is_static(tensor)


@_relation
def input_not_constant(site: Site) -> bool:
    return input_constant(site) is not True


@_relation
def inputs_20_or_24(site: Site) -> bool:
    return len(site.op.inputs) in (20, 24)


@_relation
def version_1_or_2(site: Site) -> bool:
    return site.version in (1, 2)


@_relation
def alpha_innermost(site: Site) -> bool:
    alpha = site.input(1)
    return alpha is None or alpha.size == (alpha.shape[-1] if alpha.shape else 1)


@_relation
def alpha_channels_or_full(site: Site) -> bool:
    data, alpha = site.data, site.input(1)
    if data is None or alpha is None:
        return True
    if not site.is_static(alpha):
        return False
    return alpha.size == data.shape[-1] or alpha.shape[-3:] == data.shape[-3:]


@_relation
def on_off_one_value(site: Site) -> bool:
    return all(tensor is None or (tensor.rank <= 1 and tensor.size == 1) for tensor in (site.input(2), site.input(3)))


@_relation
def indices_last_1(site: Site) -> bool:
    indices = site.input(0)
    return indices is None or not indices.shape or indices.shape[-1] == 1


@_relation
def one_hot_index_dims(site: Site) -> bool:
    """All but the last dim are 1; with rank over 3 the first is the batch and may be anything."""
    indices = site.input(0)
    if indices is None:
        return True
    return all(dim == 1 for dim in indices.shape[1 if indices.rank > 3 else 0 : -1])


@_relation
def bitcast_shapes(site: Site) -> bool:
    source, result = site.input(0), site.output()
    if source is None or result is None:
        return True
    if source.rank == result.rank:
        return source.shape == result.shape
    wide, narrow = sorted((source, result), key=lambda tensor: tensor.rank)
    ratio = np.dtype(wide.dtype).itemsize // max(np.dtype(narrow.dtype).itemsize, 1)
    return narrow.shape == (*wide.shape, ratio)


@_relation
def embedding_shapes(site: Site) -> bool:
    table, output = site.input(1), site.output()
    return table is None or output is None or (output.rank == table.rank and output.shape[1:] == table.shape[1:])


@_relation
def update_fits_operand(site: Site) -> bool:
    operand, update = site.input(0), site.input(1)
    return operand is None or update is None or (operand.dtype == update.dtype and operand.rank == update.rank)


@_relation
def update_rank_fits(site: Site) -> bool:
    operand, update = site.input(0), site.input(1)
    return operand is None or update is None or (operand.rank == update.rank >= 2)
