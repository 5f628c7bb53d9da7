"""LSTM, GRU and RNN, unrolled: every layer, both directions, projections, batch first or not, any initial state.

What the input brings to the gates is one linear layer over all steps at once; only what the state brings is computed
step by step, some ten small ops each. Weights are shared by all steps, so that a step costs the file about 3 KB.

TFLite's own UNIDIRECTIONAL_SEQUENCE_LSTM is not used: it keeps its state in variable tensors from one call to the
next, so that a second call gives other numbers unless the caller resets them, and it does not give the last cell state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.arithmetic import binary, unary_like
from mobilekit.frontends.direct.ops.linear import lower_linear
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value

State = tuple[Value, ...]
"""(h,) or (h, c), each [batch, size]."""


@dataclass(frozen=True)
class _Weights:
    """One layer in one direction, as PyTorch names them; gates lie one after the other along the first axis."""

    input: Value
    state: Value
    input_bias: Value | None
    state_bias: Value | None
    projection: Value | None = None


# -- one step ------------------------------------------------------------------------------------------------------
#
# A kind of cell is a pair of functions: what all steps' inputs become, and one step from those and the state. The
# inputs are [..., features] (any leading axes), each result [..., gates].

Prepare = Callable[[Builder, _Weights, Value], list[Value]]
Step = Callable[[Builder, _Weights, Sequence[Value], State], State]


def _lstm_inputs(b: Builder, w: _Weights, x: Value) -> list[Value]:
    return [lower_linear(b, x, w.input, _sum(b, w.input_bias, w.state_bias))]


def _lstm_step(b: Builder, w: _Weights, given: Sequence[Value], state: State) -> State:
    """Gates in PyTorch's order: input, forget, cell, output."""
    h, c = state
    gates = _plus_state(b, given[0], w.state, h)
    into, forget, new, out = _split(b, gates, 4)
    new = unary_like(b, "TANH", new)
    added = binary(b, "MUL", unary_like(b, "LOGISTIC", into), new)
    c = added if _is_zero(c) else binary(b, "ADD", binary(b, "MUL", unary_like(b, "LOGISTIC", forget), c), added)
    h = binary(b, "MUL", unary_like(b, "LOGISTIC", out), unary_like(b, "TANH", c))
    return (h if w.projection is None else lower_linear(b, h, w.projection, None)), c


def _gru_inputs(b: Builder, w: _Weights, x: Value) -> list[Value]:
    """Reset and update gates with both biases; the candidate with its own, since the reset gate comes between."""
    size = w.input.shape[0] // 3
    bias = _sum(b, w.input_bias, w.state_bias)
    both = None if bias is None else _rows(b, bias, 0, 2 * size)
    gates = lower_linear(b, x, _rows(b, w.input, 0, 2 * size), both)
    return [gates, _gru_candidate(b, x, w.input, w.input_bias)]


def _gru_candidate(b: Builder, x: Value, weight: Value, bias: Value | None) -> Value:
    """The last third of a GRU's gates, from the input or from the state."""
    size = weight.shape[0] // 3
    rows = None if bias is None else _rows(b, bias, 2 * size, 3 * size)
    return lower_linear(b, x, _rows(b, weight, 2 * size, 3 * size), rows)


def _gru_step(b: Builder, w: _Weights, given: Sequence[Value], state: State) -> State:
    (h,) = state
    size = w.input.shape[0] // 3
    gates = unary_like(b, "LOGISTIC", _plus_state(b, given[0], _rows(b, w.state, 0, 2 * size), h))
    reset, update = _split(b, gates, 2)
    remembered = _gru_candidate(b, h, w.state, w.state_bias)
    new = unary_like(b, "TANH", binary(b, "ADD", given[1], binary(b, "MUL", reset, remembered)))
    return (binary(b, "ADD", new, binary(b, "MUL", update, binary(b, "SUB", h, new))),)


def _rnn_step(activation: str) -> Step:
    def step(b: Builder, w: _Weights, given: Sequence[Value], state: State) -> State:
        return (unary_like(b, activation, _plus_state(b, given[0], w.state, state[0])),)

    return step


_CELLS: dict[str, tuple[Prepare, Step]] = {
    "lstm": (_lstm_inputs, _lstm_step),
    "gru": (_gru_inputs, _gru_step),
    "tanh": (_lstm_inputs, _rnn_step("TANH")),
    "relu": (_lstm_inputs, _rnn_step("RELU")),
}


def _plus_state(b: Builder, given: Value, weight: Value, h: Value) -> Value:
    """Given + h W^T; nothing is added for a state of constant zeros."""
    return given if _is_zero(h) else binary(b, "ADD", given, lower_linear(b, h, weight, None))


def _is_zero(x: Value) -> bool:
    return x.tensor.data is not None and not x.tensor.data.any()


def _sum(b: Builder, x: Value | None, y: Value | None) -> Value | None:
    if x is None or y is None:
        return x or y
    assert x.tensor.data is not None
    assert y.tensor.data is not None
    return b.constant_value(x.tensor.data + y.tensor.data)


def _rows(b: Builder, x: Value, start: int, end: int) -> Value:
    """Rows of a constant; the same tensor for the same rows, so that all steps share it."""
    key = (x.tensor, start, end)
    cache: dict[object, Value] = b.__dict__.setdefault("_rows_of_constants", {})
    if key not in cache:
        data = b.logical(x).data
        assert data is not None
        cache[key] = b.constant_value(np.ascontiguousarray(data[start:end]), f"{x.tensor.name}/rows_{start}")
    return cache[key]


def _split(b: Builder, x: Value, parts: int) -> list[Value]:
    """Equal parts of the last axis of [batch, gates]."""
    shape = (x.shape[0], x.shape[1] // parts)
    axis = b.constant(np.array(1, np.int32))
    outs = b.emit_many("SPLIT", [axis, b.logical(x)], [shape] * parts, [x.tensor.dtype] * parts, num_splits=parts)
    return [b.value(out) for out in outs]


# -- whole networks ------------------------------------------------------------------------------------------------


def _run(
    b: Builder,
    kind: str,
    x: Value,
    initial: Sequence[Value],
    layers: Sequence[Sequence[_Weights]],
    batch_first: bool,
) -> tuple[Value, ...]:
    """The output sequence, and the last states of all layers and directions.

    ``initial`` and the last states are [layers * directions, batch, size] each.
    """
    unbatched = x.rank == 2
    if unbatched:
        x = b.value(b.reshape(b.logical(x), (x.shape[0], 1, x.shape[1])), dtype=x.dtype)
        initial = [b.value(b.reshape(b.logical(s), (s.shape[0], 1, s.shape[1])), dtype=s.dtype) for s in initial]
    time = 1 if batch_first and not unbatched else 0
    states = list(zip(*(_unstack(b, value, 0) for value in initial), strict=True))
    finals: list[State] = []
    for directions in layers:
        outputs = []
        for index, weights in enumerate(directions):
            steps, last = _layer(b, kind, x, states[len(finals)], weights, time, backwards=index == 1)
            outputs.append(steps)
            finals.append(last)
        joined = [
            outputs[0][t] if len(outputs) == 1 else _join(b, [steps[t] for steps in outputs])
            for t in range(x.shape[time])
        ]
        x = _stack(b, joined, time)
    lasts = [_stack(b, [state[i] for state in finals], 0) for i in range(len(initial))]
    results = [x, *lasts]
    if unbatched:
        results = [b.value(b.reshape(r.tensor, (r.shape[0], r.shape[2])), dtype=r.dtype) for r in results]
    return tuple(results)


def _layer(
    b: Builder, kind: str, x: Value, state: State, weights: _Weights, time: int, backwards: bool
) -> tuple[list[Value], State]:
    """The h of every step, in the order of the sequence, and the last state."""
    prepare, step = _CELLS[kind]
    given = [_unstack(b, value, time) for value in prepare(b, weights, x)]
    count = x.shape[time]
    hidden: list[Value] = [state[0]] * count
    for t in range(count - 1, -1, -1) if backwards else range(count):
        state = step(b, weights, [values[t] for values in given], state)
        hidden[t] = state[0]
    return hidden, state


def _unstack(b: Builder, x: Value, dim: int) -> list[Value]:
    """Along PyTorch's axis ``dim`` of a rank three value, each part [batch, features]; constants are cut here."""
    if x.tensor.data is not None:
        data = x.tensor.data.transpose(x.axes(range(x.rank)))
        return [b.constant_value(np.ascontiguousarray(part)) for part in np.moveaxis(data, dim, 0)]
    stored = x.tensor if x.order[-1] == x.rank - 1 else b.logical(x)
    order = x.order if x.order[-1] == x.rank - 1 else tuple(range(x.rank))
    axis, count = order.index(dim), x.shape[dim]
    shape = [size for i, size in enumerate(stored.shape) if i != axis]
    if count == 1:
        return [b.value(b.reshape(stored, shape), dtype=x.dtype)]
    outs = b.emit_many("UNPACK", [stored], [shape] * count, [stored.dtype] * count, num=count, axis=axis)
    return [b.value(out, dtype=x.dtype) for out in outs]


def _stack(b: Builder, values: Sequence[Value], dim: int) -> Value:
    shape = list(values[0].shape)
    shape.insert(dim, len(values))
    tensors = [b.logical(value) for value in values]
    if len(tensors) == 1:
        return b.value(b.reshape(tensors[0], shape), dtype=values[0].dtype)
    return b.value(b.emit("PACK", tensors, shape, values_count=len(tensors), axis=dim), dtype=values[0].dtype)


def _join(b: Builder, values: Sequence[Value]) -> Value:
    tensors = [b.logical(value) for value in values]
    shape = (tensors[0].shape[0], sum(tensor.shape[1] for tensor in tensors))
    return b.value(b.emit("CONCATENATION", tensors, shape, axis=1, fused_activation_function="NONE"))


def _layers(
    params: Sequence[Value], has_biases: bool, num_layers: int, bidirectional: bool, projected: bool
) -> list[list[_Weights]]:
    """PyTorch's flat list of parameters, layer by layer and direction by direction."""
    if not all(value.is_constant for value in params):
        raise UnsupportedError("a recurrent layer with weights computed in forward")
    given: Iterator[Value] = iter(params)

    def one() -> _Weights:
        matrices = [next(given), next(given)]
        biases = [next(given), next(given)] if has_biases else [None, None]
        return _Weights(matrices[0], matrices[1], biases[0], biases[1], next(given) if projected else None)

    return [[one() for _ in range(2 if bidirectional else 1)] for _ in range(num_layers)]


# -- the ops -------------------------------------------------------------------------------------------------------


@lowers("aten.lstm.input")
def lower_lstm(
    b: Builder,
    x: Value,
    state: Sequence[Value],
    params: Sequence[Value],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Value, ...]:
    _refuse_training(dropout, train)
    h, c = state
    layers = _layers(params, has_biases, num_layers, bidirectional, h.shape[-1] != c.shape[-1])
    return _run(b, "lstm", x, [h, c], layers, batch_first)


def _lower_plain(
    kind: str,
) -> Callable[[Builder, Value, Value, Sequence[Value], bool, int, float, bool, bool, bool], tuple[Value, ...]]:
    def lower(
        b: Builder,
        x: Value,
        state: Value,
        params: Sequence[Value],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Value, ...]:
        _refuse_training(dropout, train)
        return _run(b, kind, x, [state], _layers(params, has_biases, num_layers, bidirectional, False), batch_first)

    return lower


lower_gru = lowers("aten.gru.input")(_lower_plain("gru"))
lower_rnn_tanh = lowers("aten.rnn_tanh.input")(_lower_plain("tanh"))
lower_rnn_relu = lowers("aten.rnn_relu.input")(_lower_plain("relu"))


def _refuse_training(dropout: float, train: bool) -> None:
    if train and dropout:
        raise UnsupportedError("a recurrent layer with dropout in training mode", "call model.eval()")


@lowers("aten.lstm_cell.default")
def lower_lstm_cell(
    b: Builder,
    x: Value,
    state: Sequence[Value],
    input_weight: Value,
    state_weight: Value,
    input_bias: Value | None,
    state_bias: Value | None,
) -> tuple[Value, ...]:
    return _cell(b, "lstm", x, tuple(state), _Weights(input_weight, state_weight, input_bias, state_bias))


@lowers("aten.gru_cell.default")
def lower_gru_cell(
    b: Builder,
    x: Value,
    state: Value,
    input_weight: Value,
    state_weight: Value,
    input_bias: Value | None,
    state_bias: Value | None,
) -> Value:
    return _cell(b, "gru", x, (state,), _Weights(input_weight, state_weight, input_bias, state_bias))[0]


@lowers("aten.rnn_tanh_cell.default")
def lower_rnn_tanh_cell(
    b: Builder,
    x: Value,
    state: Value,
    input_weight: Value,
    state_weight: Value,
    input_bias: Value | None,
    state_bias: Value | None,
) -> Value:
    return _cell(b, "tanh", x, (state,), _Weights(input_weight, state_weight, input_bias, state_bias))[0]


@lowers("aten.rnn_relu_cell.default")
def lower_rnn_relu_cell(
    b: Builder,
    x: Value,
    state: Value,
    input_weight: Value,
    state_weight: Value,
    input_bias: Value | None,
    state_bias: Value | None,
) -> Value:
    return _cell(b, "relu", x, (state,), _Weights(input_weight, state_weight, input_bias, state_bias))[0]


def _cell(b: Builder, kind: str, x: Value, state: State, weights: _Weights) -> State:
    if any(w is not None and not w.is_constant for w in (weights.input, weights.state, weights.input_bias)):
        raise UnsupportedError("a recurrent cell with weights computed in forward")
    prepare, step = _CELLS[kind]
    return step(b, weights, prepare(b, weights, x), state)
