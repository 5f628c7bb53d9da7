"""Cross-layer equalisation: give the channels of a tensor like ranges without changing what the network computes.

Given:
    %y = CONV_2D(%x, W) -> RELU6 ; %z = DEPTHWISE_CONV_2D(%y, D)        channel maxima of %y: 0.1 ... 6
Result:
    %y = CONV_2D(%x, W / s) -> RELU ; %z = DEPTHWISE_CONV_2D(%y, D * s)   channel maxima of %y: 6 ... 6

One scale serves all channels of an int8 activation, so a channel that uses a tenth of the range has three bits less
than it could. A channel's factor s moves through any op that is linear and positive per channel (pads, pools, ReLU, a
residual ADD whose sides share s), from the rows of the weights that make it to the columns of those that read it.
Rows are free: weights have a scale a row. Columns are not, so s is chosen to make the sum of both noises least.

ReLU6: the clamp of channel c would become 6/s_c, which no op expresses. But an int8 tensor saturates at the top of its
range. With s_c = (max_c / max)^p, a channel that ever reached 6 has s_c = 1 where max = 6, and the top of the range
(:attr:`Equalized.caps`) clamps it at 6 exactly; others saturate at or below 6, above all that calibration saw.

Hard-swish bends each channel at its own +-3, so no factor passes through it. Its two halves let one pass:
    %y = CONV_2D(%x, W) ; %h = HARD_SWISH(%y)
becomes
    %y = CONV_2D(%x, W / s) ; %g = DEPTHWISE_CONV_2D(%y, s / 6, 0.5) in [0, 1] ; %h = MUL(%y, %g)
where the int8 range of %g is exactly [0, 1] and saturates at both ends. One op more, so it has to pay: PicoDet's first
hard-swish has channel maxima from 0.2 to 44, and its noise falls to a sixtieth.

Method: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019; the
choice by noise and the treatment of ReLU6 and hard-swish are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.quantize.channels import ChannelStatistics
from mobilekit.quantize.rules import RULES

Array = NDArray[np.float64]

# Ops through which a positive factor a channel passes unchanged, from the first input to the output.
_TRANSPARENT = frozenset({"PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RELU", "LEAKY_RELU", "RESIZE_BILINEAR",
                          "RESIZE_NEAREST_NEIGHBOR"})  # fmt: skip
_SUMS = frozenset({"ADD", "SUB"})
_READERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_LINEAR_ACTIVATIONS = ("NONE", "RELU", 0, 1, None)
# How far the channels are pulled together: s = (max_c / max)^p; 0 leaves the group as it is. Beyond a half, channels
# saturate on data that calibration did not see: MobileNetV2 falls from 19 dB to 13 at p = 1 with 16 photos.
_POWERS = (0.0, 0.25, 0.5)
# And p = 1 with a bit of headroom, s = min(1, 2 max_c / max): no channel saturates before twice what calibration saw.
_HEADROOM = 2.0
# A hard-swish taken apart is one op more: only for a bit and a half of precision (6 dB is a factor of 4 in noise).
_WORTH_SPLITTING = 0.125
# A channel that hardly fires must not get a factor that makes its weights explode: at most ten bits.
_SMALLEST_FACTOR = 2.0**-10
_GATE_OPTIONS = {"padding": "VALID", "stride_w": 1, "stride_h": 1, "depth_multiplier": 1, "dilation_w_factor": 1,
                 "dilation_h_factor": 1, "fused_activation_function": "RELU"}  # fmt: skip


@dataclass(frozen=True)
class Equalized:
    """The graph with factors moved, what each tensor was divided by, and the tops of ranges that stand for a ReLU6."""

    graph: Graph
    factors: dict[str, Array] = field(default_factory=dict)
    """By tensor name, one a channel of the last axis: new value = old value / factor."""
    caps: dict[str, float] = field(default_factory=dict)
    """By tensor name. A tensor that the graph before did not have (the gate of a hard-swish) runs from 0 to its cap."""


@dataclass
class _Group:
    """Tensors that share one factor a channel."""

    tensors: list[Tensor]
    makers: list[Op] = field(default_factory=list)
    readers: list[tuple[Op, Tensor]] = field(default_factory=list)
    usable: bool = True
    splits: bool = False
    """A hard-swish lies inside."""


def equalize(graph: Graph, channels: dict[str, ChannelStatistics], integer_ops: set[Op]) -> Equalized:
    """A copy of ``graph`` with equalised channels; weights are new arrays, the input graph stays as it is.

    ``channels``: statistics a channel, by tensor name. Only groups whose ops are all in ``integer_ops`` change, since
    the treatment of ReLU6 relies on saturation.
    """
    factors: dict[Tensor, Array] = {}
    caps: dict[str, float] = {}
    for group in _groups(graph, integer_ops, channels):
        factor = _choose(group, channels)
        if factor is None:
            continue
        factors.update(dict.fromkeys(group.tensors, factor))
        for op in group.makers:
            if op.options.get("fused_activation_function") == "RELU6":
                statistics = channels[op.output.name]
                caps[op.output.name] = float((statistics.largest / factor).max())
    caps.update({_gate_name(op): 1.0 for op in graph.ops if op.kind == "HARD_SWISH" and op.output in factors})
    return Equalized(_apply(graph, factors), {t.name: factor for t, factor in factors.items()}, caps)


def _groups(graph: Graph, integer_ops: set[Op], channels: dict[str, ChannelStatistics]) -> Iterator[_Group]:
    group_of: dict[Tensor, _Group] = {}

    def get(tensor: Tensor) -> _Group:
        if tensor not in group_of:
            usable = tensor.name in channels and tensor.rank >= 2 and tensor.dtype == "float32"
            group_of[tensor] = _Group([tensor], usable=usable)
        return group_of[tensor]

    def unite(first: _Group, second: _Group) -> None:
        if first is second:
            return
        first.tensors += second.tensors
        first.makers += second.makers
        first.readers += second.readers
        first.usable &= second.usable
        first.splits |= second.splits
        for tensor in second.tensors:
            group_of[tensor] = first

    for tensor in (*graph.inputs, *graph.outputs):
        get(tensor).usable = False
    for op in graph.ops:
        activations = [t for t in op.present_inputs() if t.dtype == "float32" and not t.is_constant]
        makes, passes, reads = _roles(op) if op in integer_ops else (False, False, False)
        for tensor in activations:
            if reads:
                get(tensor).readers.append((op, tensor))
            elif not passes:
                get(tensor).usable = False
        for tensor in op.outputs:
            if makes:
                get(tensor).makers.append(op)
            elif passes:
                for source in activations:
                    unite(get(source), get(tensor))
                get(tensor).splits |= op.kind == "HARD_SWISH"
            else:
                get(tensor).usable = False
    done: set[int] = set()
    for group in group_of.values():
        if id(group) not in done:
            done.add(id(group))
            if group.usable and group.makers and group.readers:
                yield group


def _roles(op: Op) -> tuple[bool, bool, bool]:
    """(its weights' rows can take a factor, it lets factors pass, its weights' columns can take one)"""
    activation = op.options.get("fused_activation_function")
    if op.kind in _READERS:
        weight = op.inputs[1]
        if weight is None or not weight.is_constant:
            return False, False, False
        if op.kind == "CONV_2D" and weight.shape[3] != _channels(op.inputs[0]):  # Grouped: a column is no channel.
            return activation in (*_LINEAR_ACTIVATIONS, "RELU6"), False, False
        if op.kind == "DEPTHWISE_CONV_2D" and op.options.get("depth_multiplier", 1) != 1:
            return activation in (*_LINEAR_ACTIVATIONS, "RELU6"), False, False
        if op.kind == "FULLY_CONNECTED" and weight.shape[1] != _channels(op.inputs[0]):  # It flattens its input.
            return activation in (*_LINEAR_ACTIVATIONS, "RELU6"), False, False
        return activation in (*_LINEAR_ACTIVATIONS, "RELU6"), False, True
    if op.kind in _TRANSPARENT:
        return False, activation in _LINEAR_ACTIVATIONS, False
    if op.kind == "HARD_SWISH":
        return False, op.output.rank == 4, False
    if op.kind in _SUMS:
        same = all(t is not None and not t.is_constant and t.shape == op.output.shape for t in op.inputs)
        return False, same and activation in _LINEAR_ACTIVATIONS, False
    if op.kind == "MEAN":
        axes, source = op.inputs[1], op.inputs[0]
        if axes is None or axes.data is None or source is None:
            return False, False, False
        kept = all(int(axis) % source.rank != source.rank - 1 for axis in axes.data.reshape(-1))
        return False, kept, False
    return False, False, False


def _channels(tensor: Tensor | None) -> int:
    return tensor.shape[-1] if tensor is not None and tensor.rank else 0


def _choose(group: _Group, channels: dict[str, ChannelStatistics]) -> Array | None:
    """The factors with the least noise at the outputs of the group's readers, or None where none is better than 1."""
    statistics = [channels[t.name] for t in group.tensors]
    largest = np.max([s.largest / max(s.largest.max(), 1e-30) for s in statistics], axis=0)
    share = np.maximum(largest / max(largest.max(), 1e-30), _SMALLEST_FACTOR)
    gain = np.sum([_column_gain(op) for op, _ in group.readers], axis=0)
    best: tuple[float, Array] | None = None
    plain = 0.0
    candidates = [share**power for power in _POWERS]
    if group.splits:
        candidates.append(np.minimum(1.0, _HEADROOM * share))
    for number, factor in enumerate(candidates):
        cost = sum(_activation_noise(s, factor, gain) for s in statistics)
        cost += sum(_weight_noise(op, channels[t.name], factor) for op, t in group.readers)
        if number == 0:
            plain = cost
        if best is None or cost < best[0]:
            best = (cost, factor)
    assert best is not None
    # Otherwise a gain below a twentieth of a decibel is not worth a change.
    return best[1] if best[0] < (_WORTH_SPLITTING if group.splits else 0.99) * plain else None


def _column_gain(op: Op) -> Array:
    """Sum of squared weights that read each channel."""
    weights = _by_channel(op)
    gain: Array = np.sum(weights**2, axis=tuple(range(weights.ndim - 1)))
    return gain


def _by_channel(op: Op) -> Array:
    """The weights in float64 with the read channel on the last axis and the rows first."""
    weight = op.inputs[1]
    assert weight is not None
    assert weight.data is not None
    return weight.data.astype(np.float64)


def _activation_noise(statistics: ChannelStatistics, factor: Array, gain: Array) -> float:
    """Noise that rounding one tensor adds at its readers: step^2/12 a channel, weighted by what reads it."""
    step = float((statistics.largest / factor).max()) / 255
    return step**2 / 12 * float(np.sum(factor**2 * gain))


def _weight_noise(op: Op, statistics: ChannelStatistics, factor: Array) -> float:
    """Noise that rounding the weights of one reader adds: step^2/12 a weight, times the mean square it multiplies."""
    if op.kind == "DEPTHWISE_CONV_2D":  # A row reads one channel: the factor cancels.
        return 0.0
    weights = _by_channel(op) * factor
    rows = np.abs(weights).max(axis=tuple(range(1, weights.ndim))) / 127
    taps = float(np.prod(weights.shape[1:-1]))
    return float(np.sum(rows**2) / 12 * taps * np.sum(statistics.mean_square / factor**2))


def _apply(graph: Graph, factors: dict[Tensor, Array]) -> Graph:
    """The graph with each factor divided out of rows and multiplied into columns."""
    ops = []
    for op in graph.ops:
        if op.kind == "HARD_SWISH" and op.output in factors:
            ops += _split_hard_swish(op, factors[op.output])
            continue
        source = next((t for t in op.present_inputs() if t in factors), None) if op.kind in _READERS else None
        made = factors.get(op.outputs[0]) if op.kind in _READERS else None
        if source is None and made is None:
            ops.append(op)
            continue
        options = dict(op.options)
        if made is not None and options.get("fused_activation_function") == "RELU6":
            options["fused_activation_function"] = "RELU"
        rule = RULES[op.kind].weights
        assert rule is not None
        weights = _by_channel(op)
        if source is not None:
            weights = weights * factors[source]
        inputs = list(op.inputs)
        if made is not None:
            shape = [1] * weights.ndim
            shape[rule.axis] = -1
            weights = weights / made.reshape(shape)
            if rule.bias < len(inputs) and (bias := inputs[rule.bias]) is not None and bias.data is not None:
                inputs[rule.bias] = replace(bias, data=(bias.data / made).astype(np.float32))
        weight = inputs[rule.weight]
        assert weight is not None
        inputs[rule.weight] = replace(weight, data=weights.astype(np.float32))
        ops.append(replace(op, inputs=inputs, options=options))
    return Graph(graph.name, graph.inputs, graph.outputs, ops, graph.signatures, graph.metadata, graph.description,
                 graph.subgraphs)  # fmt: skip


def _split_hard_swish(op: Op, factor: Array) -> list[Op]:
    """hard_swish(factor x) / factor as a gate and a product; the gate's top is left to its range."""
    x = op.inputs[0]
    assert x is not None
    rows = factor.size
    weights = Tensor(f"{op.name}/gate_weights", (1, 1, 1, rows), "float32",
                     (factor / 6).astype(np.float32).reshape(1, 1, 1, rows))  # fmt: skip
    bias = Tensor(f"{op.name}/gate_bias", (rows,), "float32", np.full(rows, 0.5, np.float32))
    gate = Tensor(_gate_name(op), x.shape, "float32", shape_signature=x.shape_signature)
    conv = Op("DEPTHWISE_CONV_2D", [x, weights, bias], [gate], dict(_GATE_OPTIONS), op.source)
    return [conv, Op("MUL", [x, gate], op.outputs, {"fused_activation_function": "NONE"}, op.source)]


def _gate_name(op: Op) -> str:
    return f"{op.name}/gate"
