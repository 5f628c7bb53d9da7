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

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from mobilekit.quantize.bias import Array
from mobilekit.quantize.plan import Kept, OpPlan, Plan, RangeOf, Value, activation_inputs, make_plan
from mobilekit.quantize.recipe import ACTIVATION_DTYPE, Recipe
from mobilekit.quantize.weights import half_weight, hybrid_weight, integer_constants
from mobilekit.results.conversion import FloatIsland

_SUFFIX = {"float32": "_float", "int8": "_int8", "int16": "_int16"}
_INTEGER_DOMAINS = frozenset({"int8", "int16"})
_HYBRID_DTYPE = {"int8-weights": "int8", "int4-weights": "int4"}


@dataclass(frozen=True)
class Rewritten:
    """A quantized graph, what stayed in float, and where each float tensor's values are now."""

    graph: Graph
    islands: tuple[FloatIsland, ...]
    plan: Plan
    home: dict[str, str]
    """Name of a float graph's tensor -> name of the tensor of the quantized graph that holds its values."""


def rewrite(
    graph: Graph,
    recipe: Recipe,
    range_of: RangeOf,
    means: Mapping[str, Array] | None = None,
    kept: Kept | None = None,
) -> Rewritten:
    """Quantize ``graph`` by ``recipe`` with the given ranges. What integers cannot do becomes an island.

    ``means``: mean of each channel by tensor name, for bias correction; None leaves the biases as they are.
    ``kept``: ops that stay in float although they have an integer kernel, with the reason.
    """
    plan = make_plan(graph, recipe, range_of, kept)
    return _Writer(graph, recipe, plan, means or {}).run()


def write_plan(graph: Graph, recipe: Recipe, plan: Plan, weights: Mapping[Tensor, Quantization]) -> Rewritten:
    """Quantize ``graph`` by a plan that is made already, with the given scales of weights."""
    return _Writer(graph, recipe, plan, {}, weights).run()


@dataclass
class _Writer:
    graph: Graph
    recipe: Recipe
    plan: Plan
    means: Mapping[str, Array]
    weights: Mapping[Tensor, Quantization] = field(default_factory=dict)
    """Scales of weights that are given; the others are chosen."""
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
        """Float ops of a recipe that wants integers; where it wants float, they are no islands."""
        if self.recipe.precision not in ACTIVATION_DTYPE:
            return
        for op in self.graph.ops:
            plan = self.plan.ops[op]
            if plan.domain == "float32":
                yield FloatIsland(op.name, op.custom_code or op.kind, plan.reason, op.source)

    def _io(self, tensor: Tensor) -> str:
        return self.recipe.io_dtype if tensor.dtype == "float32" else tensor.dtype

    def _emit(self, number: int, op: Op, plan: OpPlan) -> None:
        integer = plan.rule is not None and plan.domain in _INTEGER_DOMAINS
        if not integer:
            inputs = (
                self._float_inputs(op, plan) if plan.domain == "float32" else [self._read(t, None) for t in op.inputs]
            )
            outputs = [self._make(t, t.dtype) for t in op.outputs]
        else:
            # A QUANTIZE takes what there is, float or int8.
            quantizes = op.kind == "QUANTIZE"
            inputs = [self._read(t, None) for t in op.inputs] if quantizes else self._integer_inputs(number, op, plan)
            outputs = [self._make(t, plan.domain if t.dtype == "float32" else t.dtype) for t in op.outputs]
        self.ops.append(
            Op(
                op.kind,
                inputs,
                outputs,
                options=_options(op, inputs),
                source=op.source,
                # A changed op may need a newer version than the one that a file named.
                version=op.version if _same_types(op, inputs) else None,
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
            if weights is not None and position in (weights.weight, weights.bias):
                result.append(None)  # Filled below.
            elif tensor is None or tensor.dtype != "float32":
                result.append(self._read(tensor, None))
            elif tensor.is_constant:
                source = op.outputs[0] if rule.sharing == "inputs_take_output" else tensor
                result.append(self._constant(tensor, dtype, self.plan.quantization[Value(source, dtype)]))
            else:
                edge = (number, position) if (number, position) in self.plan.cut else None
                result.append(self._read(tensor, dtype, edge))
        if rule.weights is not None:
            position, source = next(iter(activation_inputs(op, rule)))
            data = result[position]
            assert data is not None
            assert data.quantization is not None
            integer_constants(
                op,
                rule.weights,
                result,
                dtype,
                float(data.quantization.scale[0]),
                self.recipe.settings(op).weight_granularity == "per_channel",
                self.means.get(source.name),
                self._new_constant,
                self.weights.get(op.inputs[rule.weights.weight]),  # type: ignore[arg-type]  # a rule's weight is there
            )
        return result

    def _float_inputs(self, op: Op, plan: OpPlan) -> list[Tensor | None]:
        """Inputs of a float op, with its constants stored as the op's precision says."""
        settings = self.recipe.settings(op)
        weights = plan.rule.weights if plan.rule is not None else None
        stored = _HYBRID_DTYPE.get(settings.precision)
        result: list[Tensor | None] = []
        for position, tensor in enumerate(op.inputs):
            small = None
            if stored is not None and weights is not None and position == weights.weight:
                small = self._shared(
                    tensor,
                    stored,
                    lambda: hybrid_weight(
                        op, weights, stored, settings.weight_granularity == "per_channel", self._new_constant
                    ),
                )
            elif settings.precision == "fp16-weights" and tensor is not None and tensor.is_constant:
                small = self._half(tensor)
            result.append(small if small is not None else self._read(tensor, "float32"))
        return result

    def _shared(self, tensor: Tensor | None, kind: str, make: Callable[[], Tensor | None]) -> Tensor | None:
        """What ``make`` gives for a constant, made once for all its readers."""
        assert tensor is not None
        key = (tensor, kind, b"")
        if key not in self._constants:
            made = make()
            if made is None:
                return None
            self._constants[key] = made
        return self._constants[key]

    def _half(self, tensor: Tensor) -> Tensor | None:
        """A float16 constant and the DEQUANTIZE that widens it, once for all readers."""
        if (tensor, "float32", b"") not in self._constants:
            half = half_weight(tensor, self._new_constant)
            if half is None:
                return None
            wide = Tensor(self._name(tensor.name + "_float", reserved=True), tensor.shape, "float32")
            self.ops.append(Op("DEQUANTIZE", [half], [wide]))
            self._constants[tensor, "float32", b""] = wide
        return self._constants[tensor, "float32", b""]

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
        if tensor is None:
            return None
        if tensor.is_constant:
            return self._kept(tensor)
        if tensor not in self._homes:  # A variable: state that no op makes.
            return self._make(tensor, tensor.dtype)
        home = self._homes[tensor]
        if dtype is None or tensor.dtype != "float32" or (home.dtype == dtype and edge is None):
            return home
        return self._convert(tensor, dtype, edge)

    def _kept(self, tensor: Tensor) -> Tensor:
        """A constant as it is; renamed where an integer op's copy of it has taken the name."""
        key = (tensor, "kept", b"")
        if key not in self._constants:
            name = self._name(tensor.name)
            self._constants[key] = tensor if name == tensor.name else replace(tensor, name=name)
        return self._constants[key]

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
            return self._kept(tensor)
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

    def _new_constant(
        self, tensor: Tensor, dtype: str, data: NDArray[np.generic], quantization: Quantization | None
    ) -> Tensor:
        return Tensor(self._name(tensor.name), tensor.shape, dtype, data=data, quantization=quantization)

    def _name(self, wanted: str, reserved: bool = False) -> str:
        """``wanted``, or with a number if it is taken (or, for ``reserved``, belongs to the float graph)."""
        name, number = wanted, 1
        while name in self._taken or (reserved and name in self._names):
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name


def _same_types(op: Op, inputs: list[Tensor | None]) -> bool:
    """Whether ``inputs`` have the dtypes of the op's own."""
    return [t and t.dtype for t in op.inputs] == [t and t.dtype for t in inputs]


def _options(op: Op, inputs: list[Tensor | None]) -> dict[str, Any]:
    """The op's options; a hybrid op quantizes its activations asymmetrically, which halves their rounding error."""
    options = dict(op.options)
    weight = inputs[1] if len(inputs) > 1 else None
    if op.kind == "FULLY_CONNECTED" and weight is not None and weight.dtype in ("int8", "int4"):
        first = inputs[0]
        if first is not None and first.dtype == "float32":
            options["asymmetric_quantize_inputs"] = True
    return options
