"""Write the quantized graph that a plan describes.

Given:
    %x = input float32 ; %y = CONV_2D(%x, weights float32, bias float32) ; %z = FLOOR(%y)
Result:
    %x = input int8    ; %y = CONV_2D(%x, weights int8, bias int32)
                       ; %y_float = DEQUANTIZE(%y) ; %z_float = FLOOR(%y_float) ; %z = QUANTIZE(%z_float)

The float graph is left untouched. Tensors keep their names where they keep their meaning; a copy in another dtype gets
a suffix. Conversions are made once and shared by all readers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from mobilekit.quantize import parameters
from mobilekit.quantize.plan import OpPlan, Plan, RangeOf, Value, activation_inputs, make_plan
from mobilekit.quantize.recipe import Recipe
from mobilekit.results.conversion import FloatIsland

_SUFFIX = {"float32": "_float", "int8": "_int8", "int16": "_int16"}
_BIAS_DTYPE = {"int8": "int32", "int16": "int64"}


@dataclass(frozen=True)
class Rewritten:
    """A quantized graph, what stayed in float, and where each float tensor's values are now."""

    graph: Graph
    islands: tuple[FloatIsland, ...]
    plan: Plan
    home: dict[str, str]
    """Name of a float graph's tensor -> name of the tensor of the quantized graph that holds its values."""


def rewrite(graph: Graph, recipe: Recipe, range_of: RangeOf) -> Rewritten:
    """Quantize ``graph`` by ``recipe`` with the given ranges. What integers cannot do becomes an island."""
    plan = make_plan(graph, recipe, range_of)
    return _Writer(graph, recipe, plan).run()


@dataclass
class _Writer:
    graph: Graph
    recipe: Recipe
    plan: Plan
    ops: list[Op] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._homes: dict[Tensor, Tensor] = {}
        self._copies: dict[tuple[Tensor, str, tuple[int, int] | None], Tensor] = {}
        self._constants: dict[tuple[Tensor, str, bytes], Tensor] = {}
        self._names = {t.name for t in self.graph.tensors()}
        self._taken: set[str] = set()
        self._edges = {t for t in (*self.graph.inputs, *self.graph.outputs) if t.dtype == "float32"}

    def run(self) -> Rewritten:
        inputs = [self._make(t, self._io(t)) for t in self.graph.inputs]
        for number, op in enumerate(self.graph.ops):
            self._emit(number, op, self.plan.ops[op])
        outputs = [self._output(t) for t in self.graph.outputs]
        final = dict(zip(self.graph.outputs, outputs, strict=True))
        signatures = [
            Signature(
                s.key,
                tuple((name, self._homes[t]) for name, t in s.inputs),
                tuple((name, final[t]) for name, t in s.outputs),
            )
            for s in self.graph.signatures
        ]
        result = Graph(
            name=self.graph.name,
            inputs=inputs,
            outputs=outputs,
            ops=self.ops,
            signatures=signatures,
            metadata=dict(self.graph.metadata),
            description=self.graph.description,
            subgraphs=self.graph.subgraphs,
        )
        result.check()
        home = {float_tensor.name: t.name for float_tensor, t in self._homes.items()}
        return Rewritten(result, tuple(self._islands()), self.plan, home)

    def _islands(self) -> Iterable[FloatIsland]:
        for op in self.graph.ops:
            plan = self.plan.ops[op]
            if plan.domain == "float32":
                yield FloatIsland(op.name, op.custom_code or op.kind, plan.reason, op.source)

    def _io(self, tensor: Tensor) -> str:
        return self.recipe.io_dtype if tensor.dtype == "float32" else tensor.dtype

    def _emit(self, number: int, op: Op, plan: OpPlan) -> None:
        if plan.rule is None or plan.domain not in _BIAS_DTYPE:
            domain = "float32" if plan.domain == "float32" else None
            inputs = [self._read(t, domain) for t in op.inputs]
            outputs = [self._make(t, t.dtype) for t in op.outputs]
        else:
            inputs = self._integer_inputs(number, op, plan)
            outputs = [self._make(t, plan.domain if t.dtype == "float32" else t.dtype) for t in op.outputs]
        self.ops.append(
            Op(
                op.kind,
                inputs,
                outputs,
                options=dict(op.options),
                source=op.source,
                # An integer op may need a newer version than the float op that a file named.
                version=op.version if plan.domain not in _BIAS_DTYPE else None,
                options_type=op.options_type,
                custom_code=op.custom_code,
                custom_options=op.custom_options,
                intermediates=list(op.intermediates),
            )
        )

    def _integer_inputs(self, number: int, op: Op, plan: OpPlan) -> list[Tensor | None]:
        assert plan.rule is not None
        dtype, rule = plan.domain, plan.rule
        result: list[Tensor | None] = []
        for position, tensor in enumerate(op.inputs):
            weights = rule.weights
            if tensor is None or tensor.dtype != "float32" or (weights and position in (weights.weight, weights.bias)):
                result.append(tensor)
            elif tensor.is_constant:
                source = op.outputs[0] if rule.sharing == "inputs_take_output" else tensor
                result.append(self._constant(tensor, dtype, self.plan.quantization[Value(source, dtype)]))
            else:
                edge = (number, position) if (number, position) in self.plan.cut else None
                result.append(self._read(tensor, dtype, edge))
        if rule.weights is not None:
            self._fill_weights(op, plan, result)
        return result

    def _fill_weights(self, op: Op, plan: OpPlan, inputs: list[Tensor | None]) -> None:
        """Integer weights and bias in place of the float ones."""
        assert plan.rule is not None
        rule = plan.rule.weights
        assert rule is not None
        weight = op.inputs[rule.weight]
        bias = op.inputs[rule.bias] if rule.bias < len(op.inputs) else None
        assert weight is not None
        assert weight.data is not None
        position, _ = next(iter(activation_inputs(op, plan.rule)))
        source = inputs[position]
        assert source is not None
        assert source.quantization is not None
        input_scale = float(source.quantization.scale[0])
        axis = rule.axis if self.recipe.settings(op).weight_granularity == "per_channel" else None
        bias_data = None if bias is None else bias.data
        quantization = parameters.weight(weight.data, axis, bias_data, input_scale)
        stored = parameters.quantize_weight(weight.data, quantization)
        inputs[rule.weight] = self._new_constant(weight, "int8", stored, quantization)
        if bias is not None and bias_data is not None:
            bias_quantization = parameters.bias_quantization(input_scale, quantization)
            dtype = _BIAS_DTYPE[plan.domain]
            stored_bias = parameters.quantize_bias(bias_data, bias_quantization, dtype)
            inputs[rule.bias] = self._new_constant(bias, dtype, stored_bias, bias_quantization)

    def _make(self, tensor: Tensor, dtype: str) -> Tensor:
        """The tensor that an op, or the caller, writes."""
        if tensor in self._homes:
            return self._homes[tensor]
        moved = tensor in self._edges and dtype != self._io(tensor)
        made = Tensor(
            self._name(tensor.name + _SUFFIX[dtype] if moved else tensor.name, reserved=moved),
            tensor.shape,
            dtype,
            quantization=self.plan.quantization[Value(tensor, dtype)] if dtype != tensor.dtype else tensor.quantization,
            shape_signature=tensor.shape_signature,
            is_variable=tensor.is_variable,
        )
        self._homes[tensor] = made
        return made

    def _read(self, tensor: Tensor | None, dtype: str | None, edge: tuple[int, int] | None = None) -> Tensor | None:
        """``tensor`` in ``dtype`` (None: as it is), converted if its home has another."""
        if tensor is None or tensor.is_constant:
            return tensor
        if tensor not in self._homes:  # A variable: state that no op makes.
            return self._make(tensor, tensor.dtype)
        home = self._homes[tensor]
        if dtype is None or tensor.dtype != "float32" or (home.dtype == dtype and edge is None):
            return home
        return self._convert(tensor, dtype, edge)

    def _convert(self, tensor: Tensor, dtype: str, edge: tuple[int, int] | None, name: str | None = None) -> Tensor:
        key = (tensor, dtype, edge)
        if key not in self._copies:
            home = self._homes[tensor]
            quantization = None if dtype == "float32" else self.plan.quantization[Value(tensor, dtype, edge)]
            if quantization is not None and quantization.equals(home.quantization) and home.dtype == dtype:
                self._copies[key] = home
                return home
            copy = Tensor(
                name or self._name(tensor.name + ("_requantized" if edge else _SUFFIX[dtype]), reserved=True),
                tensor.shape,
                dtype,
                quantization=quantization,
                shape_signature=tensor.shape_signature,
            )
            self.ops.append(Op("DEQUANTIZE" if dtype == "float32" else "QUANTIZE", [home], [copy]))
            self._copies[key] = copy
        return self._copies[key]

    def _output(self, tensor: Tensor) -> Tensor:
        if tensor.is_constant:
            return tensor
        home = self._homes[tensor]
        dtype = self._io(tensor)
        return home if home.dtype == dtype else self._convert(tensor, dtype, None, self._name(tensor.name))

    def _constant(self, tensor: Tensor, dtype: str, quantization: Quantization) -> Tensor:
        """A constant that is read as an activation, at the scale its reader asks for; shared by equal readers."""
        assert tensor.data is not None
        key = (tensor, dtype, quantization.scale.tobytes() + quantization.zero_point.tobytes())
        if key not in self._constants:
            stored = quantization.quantize(tensor.data, dtype)
            self._constants[key] = self._new_constant(tensor, dtype, stored, quantization)
        return self._constants[key]

    def _new_constant(self, tensor: Tensor, dtype: str, data: object, quantization: Quantization) -> Tensor:
        return Tensor(self._name(tensor.name), tensor.shape, dtype, data=data, quantization=quantization)  # type: ignore[arg-type]

    def _name(self, wanted: str, reserved: bool = False) -> str:
        """``wanted``, or with a number if it is taken (or, for ``reserved``, belongs to the float graph)."""
        name, number = wanted, 1
        while name in self._taken or (reserved and name in self._names):
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name
