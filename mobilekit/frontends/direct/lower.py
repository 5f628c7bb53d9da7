"""The walk: every node of a captured program through its lowering; all unsupported ops in one error."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.export.graph_signature import InputSpec as InputSpecification
from torch.utils import _pytree as pytree

from mobilekit.errors import UnsupportedOp, UnsupportedOpsError
from mobilekit.frontends.direct import control_flow
from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.capture import module_path, source_of
from mobilekit.frontends.direct.decompose import decompose
from mobilekit.frontends.direct.dtypes import name_of, stored, torch_dtype
from mobilekit.frontends.direct.layout import feeds_image_op
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.registry import Lowering, UnsupportedError, lowerings
from mobilekit.frontends.direct.suggestions import suggestion_for
from mobilekit.frontends.direct.values import Order, Value, channels_last_order, identity_order
from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor

# Lowered although their arguments are constants: the lowering remembers the scale beside the values.
_WITH_MEMORY = "quantized_decomposed.dequantize"


@dataclass(frozen=True)
class InputSpec:
    """One input as the user gives it and as the file takes it."""

    name: str
    order: Order
    shape: tuple[int, ...]
    dtype: str
    tensor: Tensor
    leaf: int
    """Position among the flattened arguments of forward."""
    limits: tuple[int, int] | None = None
    """The integers that the file is right for, where they are fewer than int32's; both ends included."""


@dataclass(frozen=True)
class OutputSpec:
    """One output: a tensor of the file, an input passed through, or a constant that no file needs to compute."""

    name: str
    order: Order
    shape: tuple[int, ...]
    dtype: str
    tensor: Tensor | None
    constant: Any = None
    input_index: int | None = None
    permutation: Order | None = None
    """How the axes of that input are permuted."""


@dataclass(frozen=True)
class StateSpec:
    """A buffer that changes in forward: an extra input of the file, and the output that is its next value."""

    buffer: str
    """As ``named_buffers`` has it."""
    input: InputSpec
    output: OutputSpec
    initial: Any
    """What the buffer holds when the model is captured: an array in the file's axis order and dtype."""


@dataclass
class Lowered:
    """A float graph and how to feed and read it."""

    graph: Graph
    inputs: list[InputSpec]
    outputs: list[OutputSpec]
    narrowed: list[str]
    unsupported: list[UnsupportedOp] = field(default_factory=list)
    given_scales: list[Quantization] = field(default_factory=list)
    """Scales of constants in a model that was quantized in training."""
    states: list[StateSpec] = field(default_factory=list)
    """Behind the inputs and outputs of the graph that the user knows of."""
    wide: dict[Op, str] = field(default_factory=dict)
    """Ops that stand for int64 arithmetic -> PyTorch's op, for :mod:`ranges` to prove."""
    bounds: dict[Tensor, tuple[int, int]] = field(default_factory=dict)
    """What lowerings know of integers beyond what intervals tell."""
    assumed: list[str] = field(default_factory=list)
    """In words, integers that nothing bounds and what they are taken to be."""


def lower(program: ExportedProgram, name: str = "main", *, partial: bool = False) -> Lowered:
    """Lower a captured program to a float Graph.

    Raises :class:`UnsupportedOpsError` naming every op that has no lowering; with ``partial`` it returns what could be
    lowered instead, with the ops in ``unsupported`` (for a compatibility check, not for writing).
    """
    walk = _Walk(program, name)
    lowered = walk.run()
    if lowered.unsupported and not partial:
        raise UnsupportedOpsError(lowered.unsupported)
    return lowered


class _Walk:
    def __init__(self, program: ExportedProgram, name: str) -> None:
        self.program = program
        self.builder = Builder(name)
        self.values: dict[torch.fx.Node, Any] = {}
        self.inputs: list[InputSpec] = []
        self._states: dict[str, tuple[InputSpec, Any]] = {}
        """Buffers that change in forward, with what they hold at first."""
        self.unsupported: list[UnsupportedOp] = []
        self.table = lowerings()
        self.subgraphs: list[Graph] = []
        """Bodies of control flow, in the order of the file."""
        self._read_by_refused: list[Tensor] = []
        """What unsupported ops read: kept alive, so that the ops before them are checked too."""
        self._whole: torch.fx.Node | None = None
        """The node of the program whose pieces are being lowered."""

    def run(self) -> Lowered:
        self._bind_placeholders()
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self.values[node] = self._call(node)
        outputs, states = self._outputs()
        graph = self.builder.graph
        graph.subgraphs = self.subgraphs
        inputs = [*self.inputs, *(state.input for state in states)]
        made_outputs = [*outputs, *(state.output for state in states)]
        graph.inputs = [spec.tensor for spec in inputs]
        graph.outputs = [spec.tensor for spec in made_outputs if spec.tensor is not None]
        made = {tensor for op in graph.ops for tensor in op.outputs} - set(graph.outputs)
        graph.outputs += [tensor for tensor in dict.fromkeys(self._read_by_refused) if tensor in made]
        _remove_dead(graph)
        named_outputs = tuple((spec.name, spec.tensor) for spec in made_outputs if spec.tensor is not None)
        graph.signatures = [
            Signature("serving_default", tuple((spec.name, spec.tensor) for spec in inputs), named_outputs)
        ]
        return Lowered(
            graph,
            self.inputs,
            outputs,
            self.builder.narrowed,
            self.unsupported,
            self.builder.given_scales,
            states,
            self.builder.wide,
            self.builder.bounds,
        )

    # -- inputs ------------------------------------------------------------------------------------------------

    def _bind_placeholders(self) -> None:
        nodes = {node.name: node for node in self.program.graph.nodes if node.op == "placeholder"}
        leaf = 0
        for spec in self.program.graph_signature.input_specs:
            node = nodes[spec.arg.name]
            if spec.kind == InputKind.USER_INPUT:
                self.values[node] = self._user_input(node, leaf)
                leaf += 1
            else:
                self.values[node] = self._stored_input(node, spec)

    def _stored_input(self, node: torch.fx.Node, spec: InputSpecification) -> Value | None:
        """A parameter, a buffer or a lifted constant."""
        target = str(spec.target)
        tensor = self.program.state_dict.get(target, self.program.constants.get(target))
        if spec.kind == InputKind.BUFFER and target in self.program.graph_signature.buffers_to_mutate.values():
            return self._state_input(node, target, tensor)
        if tensor is None:
            return None
        try:
            return self._parameter(tensor, target)
        except UnsupportedError as refusal:
            stand_in: Value = self._refuse(node, f"the constant '{target}'", refusal.reason, refusal.suggestion)
            return stand_in

    def _state_input(self, node: torch.fx.Node, target: str, tensor: torch.Tensor | None) -> Value:
        """A buffer that changes in forward comes in as an input, and goes out as what it is afterwards."""
        assert tensor is not None
        dtype = name_of(tensor.dtype)
        order = channels_last_order(tensor.dim()) if feeds_image_op(node) else identity_order(tensor.dim())
        name = self.builder.unique_name(target)
        if dtype == "int64":
            self.builder.narrowed.append(name)
        initial = self.builder.constant(tensor.detach().float().numpy() if dtype == "bfloat16" else tensor.numpy())
        assert initial.data is not None
        array = np.array(initial.data.transpose(order), stored(dtype))
        given = Tensor(name, tuple(array.shape), stored(dtype))
        self._states[target] = (InputSpec(name, order, tuple(tensor.shape), dtype, given, -1), array)
        return Value(given, order, dtype)

    def _parameter(self, tensor: torch.Tensor, name: str) -> Value:
        detached = tensor.detach()
        dtype = name_of(detached.dtype)
        if detached.dtype in (torch.bfloat16, torch.float16):
            detached = detached.float()
        return self.builder.constant_value(detached.contiguous().numpy(), name, dtype)

    def _user_input(self, node: torch.fx.Node, leaf: int) -> Any:
        example = node.meta.get("val")
        if not isinstance(example, torch.Tensor):
            return example  # a Python number or None: a constant of the program
        shape, dtype = _static_shape(example), name_of(example.dtype)
        order = channels_last_order(len(shape)) if feeds_image_op(node) else identity_order(len(shape))
        name = self.builder.unique_name(node.name)
        if dtype == "int64":
            self.builder.narrowed.append(name)
        tensor = Tensor(name, tuple(shape[axis] for axis in order), stored(dtype))
        self.inputs.append(InputSpec(name, order, shape, dtype, tensor, leaf))
        return self._nothing(example) if _is_empty(example) else Value(tensor, order, dtype)

    # -- nodes -------------------------------------------------------------------------------------------------

    def _call(self, node: torch.fx.Node) -> Any:
        if node.target is operator.getitem:
            return self._item(node)
        target = node.target
        if isinstance(target, torch._ops.HigherOrderOperator):
            return self._higher_order(node, target)
        if not isinstance(target, torch._ops.OpOverload):
            return self._python_call(node)
        op = f"{target.namespace}.{target._opname}.{target._overloadname}"
        if self._whole is None:
            self.builder.scope = _scope(node)
            self.builder.source = source_of(node)
        self.builder.expected = node.meta.get("val")
        self.builder.wide_op = op if _computes_int64(node) else None
        first = node.args[0] if node.args else None
        self.builder.operand = first.meta.get("val") if isinstance(first, torch.fx.Node) else None
        arguments = self._arguments(node, target)
        try:
            result = self._result(node, target, op, arguments)
        except UnsupportedError as refusal:
            result = self._refuse(node, op, refusal.reason, refusal.suggestion or suggestion_for(op))
        if target._schema.is_mutable and isinstance(node.args[0], torch.fx.Node):
            self.values[node.args[0]] = result  # an in-place op: later readers see the new value
        return result

    def _item(self, node: torch.fx.Node) -> Any:
        """One of several results; those that serve training only have no value."""
        item = self._argument(node.args[0])[node.args[1]]
        if item is None and isinstance(node.meta.get("val"), torch.Tensor) and node.users:
            return self._refuse(node, f"result {node.args[1]} of {node.args[0]}", "it serves training only", None)
        return item

    def _higher_order(self, node: torch.fx.Node, target: torch._ops.HigherOrderOperator) -> Any:
        """A part of the program under another mode is lowered in place; control flow becomes subgraphs."""
        name = str(target._name)
        if name in control_flow.LOWERINGS:
            return self._control_flow(node, name)
        # (enabled, graph, *operands) and (device, dtype, enabled, cached, graph, *operands)
        enabled = {"wrap_with_set_grad_enabled": False, "wrap_with_autocast": node.args[2:3] == (True,)}
        position = {"wrap_with_set_grad_enabled": 1, "wrap_with_autocast": 4}.get(name)
        if position is None:
            return self._refuse(node, name, "no lowering to TFLite ops", suggestion_for("aten.cond.default"))
        if enabled[name]:
            return self._refuse(node, name, "autocast chooses other dtypes", "convert the model outside of autocast")
        inner, operands = node.args[position], node.args[position + 1 :]
        assert isinstance(inner, torch.fx.Node)
        owner = node.graph.owning_module
        return self.inline(getattr(owner, str(inner.target)), self._argument(operands))

    def _control_flow(self, node: torch.fx.Node, name: str) -> Any:
        owner = node.graph.owning_module

        def given(raw: Any) -> Any:
            if isinstance(raw, (list, tuple)):
                return [given(item) for item in raw]
            if isinstance(raw, torch.fx.Node) and raw.op == "get_attr":
                return getattr(owner, str(raw.target))
            return self._argument(raw)

        self.builder.scope, self.builder.source = _scope(node), source_of(node)
        try:
            return control_flow.LOWERINGS[name](self, *given(node.args))
        except UnsupportedError as refusal:
            return self._refuse(node, name, refusal.reason, refusal.suggestion)

    def inline(self, part: torch.fx.GraphModule, operands: Sequence[Any]) -> Any:
        """Walk a graph inside the graph; its result, nested as it returns it."""
        placeholders = [piece for piece in part.graph.nodes if piece.op == "placeholder"]
        for placeholder, value in zip(placeholders, operands, strict=True):
            self.values[placeholder] = value
        for piece in part.graph.nodes:
            if piece.op == "call_function":
                self.values[piece] = self._call(piece)
        output = next(piece for piece in part.graph.nodes if piece.op == "output")
        return self._argument(output.args[0])

    def _python_call(self, node: torch.fx.Node) -> Any:
        """Arithmetic on sizes and other Python numbers, all known by now."""
        arguments = [self._argument(raw) for raw in node.args]
        if isinstance(node.target, type) and issubclass(node.target, tuple):
            return arguments  # a named tuple of results, which PyTorch's decompositions build
        if isinstance(node.target, str) or any(not isinstance(value, (int, float, bool)) for value in arguments):
            return self._refuse(node, str(node.target), "a call that is no ATen op", None)
        return node.target(*arguments)

    def _result(self, node: torch.fx.Node, target: torch._ops.OpOverload, op: str, arguments: list[Any]) -> Any:
        if torch.Tag.nondeterministic_seeded in target.tags and op not in self.table:
            raise UnsupportedError("random numbers differ on every run", "draw them outside and pass them in")
        if _is_complex(node) or any(isinstance(v, Value) and v.dtype.startswith("complex") for v in _flat(arguments)):
            raise UnsupportedError("complex numbers", "carry the real and the imaginary part as two tensors")
        if _is_empty(node.meta.get("val")):
            return _map_tensors(node.meta["val"], self._nothing)
        if target._opname.startswith("_assert"):
            return None  # torch.export's own checks; behind a refused op they would see a stand-in's size
        constant = all(not isinstance(value, Value) or value.is_constant for value in _flat(arguments))
        if constant and not (op.startswith(_WITH_MEMORY) and op in self.table):
            return self._evaluate(node, target, arguments)
        lowering, in_place = self._lowering(op)
        if lowering is None:
            return self._pieces(node, target)
        result = lowering(self.builder, *arguments)
        if in_place and isinstance(result, Value):
            result = cast(self.builder, result, arguments[0].dtype)  # x += y keeps the dtype of x
        return self._checked(node, result)

    def _lowering(self, op: str) -> tuple[Lowering | None, bool]:
        """The lowering of an op; an in-place op is that of its functional twin (``aten.add_.Tensor``)."""
        if op in self.table:
            return self.table[op], False
        namespace, name, overload = op.split(".")
        twin = f"{namespace}.{name[:-1]}.{overload}"
        if name.endswith("_") and not name.endswith("__") and twin in self.table:
            return self.table[twin], True
        return None, False

    def _pieces(self, node: torch.fx.Node, target: torch._ops.OpOverload) -> Any:
        """An op without a lowering, through those of the ops that it consists of."""
        args, kwargs = torch.fx.map_arg((node.args, node.kwargs), lambda argument: argument.meta["val"])
        pieces = decompose(target, args, kwargs)
        if pieces is None:
            raise UnsupportedError("no lowering to TFLite ops")
        given = [raw for raw in pytree.tree_leaves((node.args, node.kwargs)) if isinstance(raw, torch.fx.Node)]
        given = [raw for raw in given if isinstance(raw.meta["val"], torch.Tensor)]
        placeholders = [piece for piece in pieces.graph.nodes if piece.op == "placeholder"]
        for placeholder, raw in zip(placeholders, given, strict=True):
            self.values[placeholder] = self.values[raw]
        outer, self._whole = self._whole, self._whole or node
        try:
            for piece in pieces.graph.nodes:
                if piece.op == "call_function":
                    self.values[piece] = self._call(piece)
                elif piece.op == "get_attr":
                    self.values[piece] = self._parameter(getattr(pieces, str(piece.target)), piece.name)
        finally:
            self._whole = outer
        output = next(piece for piece in pieces.graph.nodes if piece.op == "output")
        return self._checked(node, self._argument(output.args[0]))

    def _nothing(self, example: torch.Tensor) -> Value:
        """A tensor without elements needs no op: it is a constant."""
        shape, dtype = _static_shape(example), name_of(example.dtype)
        return self.builder.constant_value(np.zeros(shape, stored(dtype)), dtype=dtype)

    def _arguments(self, node: torch.fx.Node, target: torch._ops.OpOverload) -> list[Any]:
        """All arguments of the ATen schema, in its order, defaults filled in."""
        arguments = []
        for index, parameter in enumerate(target._schema.arguments):
            if index < len(node.args) and not parameter.kwarg_only:
                raw = node.args[index]
            elif parameter.name in node.kwargs:
                raw = node.kwargs[parameter.name]
            else:
                raw = parameter.default_value
            arguments.append(self._argument(raw))
        return arguments

    def _argument(self, raw: Any) -> Any:
        if isinstance(raw, torch.fx.Node):
            return self.values[raw]
        if isinstance(raw, (list, tuple)):
            return [self._argument(item) for item in raw]
        return raw

    def _evaluate(self, node: torch.fx.Node, target: torch._ops.OpOverload, arguments: list[Any]) -> Any:
        """An op on constants alone: PyTorch itself computes it, once."""
        named = {p.name: _to_torch(a) for p, a in zip(target._schema.arguments, arguments, strict=True)}
        positional = [named.pop(p.name) for p in target._schema.arguments if not p.kwarg_only]
        with torch.no_grad():
            result = target(*positional, **named)
        if "empty" in target._opname:
            result.zero_()  # whatever lies in fresh memory would make every file another
        return _map_tensors(result, lambda tensor: self._parameter(tensor, node.name))

    def _checked(self, node: torch.fx.Node, result: Any) -> Any:
        """A lowering must give the shape and dtype that PyTorch gives: a slip is an error here, not a wrong file."""
        expected: Any = node.meta.get("val")
        pairs = zip(result, expected, strict=False) if isinstance(result, (list, tuple)) else [(result, expected)]
        for value, example in pairs:
            if not isinstance(value, Value) or not isinstance(example, torch.Tensor):
                continue
            if not _same_shape(value.shape, example) or value.dtype != name_of(example.dtype):
                raise AssertionError(
                    f"the lowering of {node.target} gives {value.dtype}{list(value.shape)}, PyTorch gives "
                    f"{name_of(example.dtype)}{list(example.shape)} (node {node.name})"
                )
        return result

    def _refuse(self, node: torch.fx.Node, op: str, reason: str, suggestion: str | None) -> Any:
        """Note an unsupported op and go on with a stand-in of the right shape, so that all of them are found."""
        if self._whole is not None:
            # One piece of an op: the whole op is what the user wrote.
            raise UnsupportedError(f"it consists of {op}: {reason}", suggestion)
        self.unsupported.append(UnsupportedOp(op, node.name, reason, source_of(node), suggestion))
        read = pytree.tree_leaves([self.values.get(argument) for argument in node.all_input_nodes])
        self._read_by_refused += [value.tensor for value in read if isinstance(value, Value)]

        def stand_in(example: torch.Tensor) -> Value:
            shape, dtype = _static_shape(example), name_of(example.dtype)
            tensor = Tensor(self.builder.unique_name(node.name), shape, stored(dtype))
            self.builder.graph.inputs.append(tensor)
            return Value(tensor, identity_order(len(shape)), dtype)

        value = node.meta.get("val")
        if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
            return {torch.SymInt: 1, torch.SymFloat: 1.0, torch.SymBool: True}[type(value)]
        return _map_tensors(value, stand_in)

    # -- outputs -----------------------------------------------------------------------------------------------

    def _outputs(self) -> tuple[list[OutputSpec], list[StateSpec]]:
        output = next(node for node in self.program.graph.nodes if node.op == "output")
        specified = list(zip(output.args[0], self.program.graph_signature.output_specs, strict=True))
        raw = [argument for argument, spec in specified if spec.kind == OutputKind.USER_OUTPUT]
        names = ["output"] if len(raw) == 1 else [f"output_{index}" for index in range(len(raw))]
        taken: set[Tensor] = set()
        outputs = [
            self._output(name, self._argument(argument), taken) for name, argument in zip(names, raw, strict=True)
        ]
        written = {
            str(spec.target): self._argument(argument)
            for argument, spec in specified
            if spec.kind == OutputKind.BUFFER_MUTATION
        }
        states = [
            StateSpec(buffer, given, self._state_output(given, written[buffer], taken), initial)
            for buffer, (given, initial) in self._states.items()
        ]
        return outputs, states

    def _state_output(self, given: InputSpec, value: Value, taken: set[Tensor]) -> OutputSpec:
        """The next value of a buffer, stored as it comes in; a tensor of its own even where it is only passed on."""
        self.builder.scope = f"{given.name}/copy"
        kept = self.builder.reorder(value, given.order).tensor
        if kept.is_constant or kept in taken or self._is_input(kept):
            kept = self._copy(kept)
        kept.name = self.builder.unique_name(f"{given.name}_next")
        taken.add(kept)
        return OutputSpec(kept.name, given.order, given.shape, given.dtype, kept)

    def _copy(self, tensor: Tensor) -> Tensor:
        shape = np.array(tensor.shape, np.int32)
        return self.builder.emit("RESHAPE", [tensor, self.builder.constant(shape)], tensor.shape, new_shape=shape)

    def _is_input(self, tensor: Tensor) -> bool:
        specs = [*self.inputs, *(given for given, _ in self._states.values())]
        return any(tensor is spec.tensor for spec in specs)

    def _output(self, name: str, value: Any, taken: set[Tensor]) -> OutputSpec:
        if not isinstance(value, Value):
            return OutputSpec(name, (), (), type(value).__name__, None, constant=value)
        if value.is_constant:
            assert value.tensor.data is not None
            array = value.tensor.data.transpose(value.axes(range(value.rank)))
            return OutputSpec(name, (), value.shape, value.dtype, None, constant=array)
        for index, spec in enumerate(self.inputs):
            if spec.tensor is value.tensor:
                turned = tuple(spec.order[axis] for axis in value.axes(range(value.rank)))
                return OutputSpec(
                    name, value.order, value.shape, value.dtype, None, input_index=index, permutation=turned
                )
        image = channels_last_order(value.rank)
        kept = (
            value
            if value.rank >= 4 and value.order == image
            else self.builder.reorder(value, identity_order(value.rank))
        )
        tensor = kept.tensor
        if any(tensor is given.tensor for given, _ in self._states.values()):
            tensor = self._copy(tensor)
        if tensor not in taken and not self._is_input(tensor):
            tensor.name = self.builder.unique_name(name)
            taken.add(tensor)
        return OutputSpec(name, kept.order, kept.shape, kept.dtype, tensor)


def _scope(node: torch.fx.Node) -> str:
    path = module_path(node)
    return f"{path}/{node.name}" if path else node.name


def _computes_int64(node: torch.fx.Node) -> bool:
    """Whether it reads or makes an int64 tensor."""
    values = pytree.tree_leaves([node.meta.get("val"), *(given.meta.get("val") for given in node.all_input_nodes)])
    return any(isinstance(value, torch.Tensor) and value.dtype == torch.int64 for value in values)


def _flat(arguments: Any) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield from _flat(argument)
        else:
            yield argument


def _to_torch(argument: Any) -> Any:
    if isinstance(argument, Value):
        assert argument.tensor.data is not None
        tensor = torch.from_numpy(np.array(argument.tensor.data))
        moved = tensor.permute([argument.order.index(axis) for axis in range(argument.rank)])
        return moved.to(torch_dtype(argument.dtype)).clone()
    if isinstance(argument, list):
        return [_to_torch(item) for item in argument]
    return argument


def _map_tensors(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return [_map_tensors(item, function) for item in value]
    return value


def _static_shape(example: torch.Tensor) -> tuple[int, ...]:
    """Sizes that depend on data stand as 1; :func:`_same_shape` does not look at them."""
    return tuple(dim if isinstance(dim, int) else (dim.node.hint or 1) for dim in example.shape)


def _same_shape(shape: tuple[int, ...], example: torch.Tensor) -> bool:
    """Whether a lowering's shape is PyTorch's, as far as that is known."""
    return len(shape) == example.dim() and all(
        mine == its for mine, its in zip(shape, example.shape, strict=True) if isinstance(its, int)
    )


def _is_empty(value: Any) -> bool:
    """Whether a result is tensors without a single element."""
    tensors = pytree.tree_leaves(value)
    return bool(tensors) and all(isinstance(leaf, torch.Tensor) and 0 in _static_shape(leaf) for leaf in tensors)


def _is_complex(node: torch.fx.Node) -> bool:
    leaves = pytree.tree_leaves(node.meta.get("val"))
    return any(isinstance(leaf, torch.Tensor) and leaf.is_complex() for leaf in leaves)


def _remove_dead(graph: Graph) -> None:
    """Drop ops whose results nobody reads."""
    needed = set(graph.outputs)
    kept = []
    for op in reversed(graph.ops):
        if any(tensor in needed for tensor in op.outputs):
            kept.append(op)
            needed.update(op.present_inputs())
    graph.ops = kept[::-1]
