"""A captured program that is not one graph: cut at custom ops, and before ops whose result's size depends on the data.

Given    image -> conv ... -> boxes, scores -> nms -> keep -> boxes[keep]
Result   part_0 (image -> boxes, scores) for the file, then the steps nms and index, on the host and on the phone.

A part is a program of its own, lowered like any other. What depends on a size that depends on the data never goes back
into a file: it is the tail, and the ops that it may hold are a list (:data:`TAIL_OPS`).
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.utils import _pytree as pytree

from mobilekit.errors import UnsupportedOp, UnsupportedOpsError
from mobilekit.frontends.direct.capture import source_of
from mobilekit.frontends.direct.detection import BATCHED_NMS, NMS
from mobilekit.frontends.direct.dtypes import name_of
from mobilekit.frontends.direct.suggestions import suggestion_for
from mobilekit.frontends.host_ops import HostOp
from mobilekit.sidecar import LibraryStep, NmsStep, PythonStep, TensorStep, ValueSpec

HostStep = NmsStep | TensorStep | LibraryStep | PythonStep

# What may follow the first op whose result's size depends on the data: a few lines of a loop in any language.
TAIL_OPS = frozenset(
    """
    index index_select masked_select nonzero gather slice select narrow cat stack view reshape flatten
    squeeze unsqueeze permute transpose t numpy_T expand split split_with_sizes unbind chunk sort topk
    argsort max min maximum minimum clamp clamp_min clamp_max add sub mul div neg abs exp sqrt
    reciprocal floor ceil round gt ge lt le eq ne logical_and logical_or logical_not bitwise_and
    bitwise_or bitwise_not where to _to_copy clone alias detach contiguous sym_size arange zeros ones
    full zeros_like ones_like full_like argmax argmin sum any all sigmoid lift_fresh_copy type_as
    """.split()
)
PYTHON_OPS = {f"operator.{name}": getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "neg", "mod")}

# More than this is a weight: it belongs into the file, not into a JSON document.
_MOST_CONSTANTS = 1 << 16


@dataclass(frozen=True)
class Part:
    """A piece of the program for the file. Inputs and outputs are values of the whole, by name."""

    name: str
    program: ExportedProgram
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Cut:
    """What runs one after the other."""

    program: ExportedProgram
    steps: tuple[Part | HostStep, ...]
    results: tuple[Any, ...]
    """One an output of the model: a reference to a value, or a constant."""
    open_values: frozenset[str]
    """Values whose size depends on the data, and all that is computed from them."""

    @property
    def parts(self) -> list[Part]:
        return [step for step in self.steps if isinstance(step, Part)]


def cut(program: ExportedProgram, host_ops: dict[str, HostOp]) -> Cut | None:
    """The steps of ``program``, or None if all of it can go into one graph.

    Raises :class:`UnsupportedOpsError` naming every op of the tail that no phone step stands for.
    """
    names = {op_name(node) for node in program.graph.nodes if node.op == "call_function"}
    if not (names & (set(host_ops) | {NMS, BATCHED_NMS}) or any(_has_open_size(n) for n in program.graph.nodes)):
        return None
    if any(_is_mutable(node) for node in program.graph.nodes):
        program = program.run_decompositions({})
    return _Cutter(program, host_ops).run()


def op_name(node: torch.fx.Node) -> str:
    """``namespace.op.overload``, or the name of a Python function."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return f"{target.namespace}.{target._opname}.{target._overloadname}"
    name = getattr(target, "__name__", str(target))
    return f"operator.{name}" if f"operator.{name}" in PYTHON_OPS else str(name)


def _is_mutable(node: torch.fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _has_open_size(node: torch.fx.Node) -> bool:
    """Whether a size of the result, or the number itself, is only known when the model runs."""
    for leaf in pytree.tree_leaves(node.meta.get("val")):
        sizes = leaf.shape if isinstance(leaf, torch.Tensor) else [leaf]
        for size in sizes:
            if isinstance(size, (torch.SymInt, torch.SymFloat, torch.SymBool)) and size.node.hint is None:
                return True
    return False


def _is_check(node: torch.fx.Node) -> bool:
    return "_assert" in op_name(node) or "sym_constrain_range" in op_name(node)


class _Cutter:
    def __init__(self, program: ExportedProgram, host_ops: dict[str, HostOp]) -> None:
        self.program = program
        self.host_ops = host_ops
        signature = program.graph_signature
        self.user_inputs = set(signature.user_inputs)
        self.specs = {spec.arg.name: spec for spec in signature.input_specs}
        self.output = next(node for node in program.graph.nodes if node.op == "output")
        outputs = zip(self.output.args[0], signature.output_specs, strict=True)
        self.results = [raw for raw, spec in outputs if spec.kind == OutputKind.USER_OUTPUT]
        self.live = self._live()
        self.varies: set[torch.fx.Node] = set()
        """Nodes that depend on an input of the model."""
        self.open: set[torch.fx.Node] = set()
        self.host: set[torch.fx.Node] = set()
        self.level: dict[torch.fx.Node, int] = {}
        self.unsupported: list[UnsupportedOp] = []

    def run(self) -> Cut:
        for node in self.live:
            self._place(node)
        steps: list[Part | HostStep] = []
        for level in range(max(self.level.values(), default=0) + 1):
            part = self._part(level)
            if part is not None:
                steps.append(part)
            steps += [self._host_step(n) for n in self.live if self._is_host_call(n) and self.level[n] == level]
        results = tuple(self._argument(raw, self.output) for raw in self.results)
        if not any(isinstance(step, Part) for step in steps) and not self.unsupported:
            reason = "nothing comes before it that could be a .tflite file"
            node = next(n for n in self.live if n in self.host)
            self.unsupported.append(UnsupportedOp(op_name(node), node.name, reason, source_of(node)))
        if self.unsupported:
            raise UnsupportedOpsError(self.unsupported)
        return Cut(self.program, tuple(steps), results, frozenset(node.name for node in self.open))

    def _live(self) -> list[torch.fx.Node]:
        """The nodes that the outputs need, in order: torch.export's own checks of sizes go."""
        needed = {raw for raw in self.results if isinstance(raw, torch.fx.Node)}
        for node in reversed(list(self.program.graph.nodes)):
            if node in needed and not _is_check(node):
                needed.update(node.all_input_nodes)
        return [node for node in self.program.graph.nodes if node in needed]

    def _place(self, node: torch.fx.Node) -> None:
        """In the file or on the host, and on which level: part 0, host 0, part 1, host 1..."""
        read = node.all_input_nodes
        if node.op == "placeholder":
            if node.name in self.user_inputs:
                self.varies.add(node)
            return
        name = op_name(node)
        custom = name in self.host_ops or name in (NMS, BATCHED_NMS)
        if custom or any(source in self.varies for source in read):
            self.varies.add(node)
        if any(source in self.open for source in read) or _has_open_size(node):
            self.open.add(node)
        follows = node.target is operator.getitem and read and read[0] in self.host
        if custom or node in self.open or follows:
            self.host.add(node)
        if node in self.varies:
            behind = [self.level[s] + (s in self.host and node not in self.host) for s in read if s in self.level]
            self.level[node] = max(behind, default=0)

    # -- parts -------------------------------------------------------------------------------------------------

    def _in_file(self, node: torch.fx.Node) -> bool:
        return node in self.level and node not in self.host

    def _part(self, level: int) -> Part | None:
        """The nodes of one level, and what is constant before them, as a program."""
        mine = [node for node in self.live if self._in_file(node) and self.level[node] == level]
        inside = set(mine)
        leaving = [n for n in mine if any(user not in inside and self._reads(user) for user in n.users)]
        leaving = [n for n in leaving if isinstance(n.meta.get("val"), torch.Tensor)]
        if not leaving:
            return None
        needed = set(leaving)
        for node in reversed(self.live):
            if node in needed and (node in inside or node not in self.varies):
                needed.update(node.all_input_nodes)
        entering = [n for n in self.live if n in needed and n in self.varies and n not in inside]
        graph, copies, specs = torch.fx.Graph(), {}, []
        stored = [n for n in self.live if n in needed and n.op == "placeholder" and n not in self.varies]
        for node in (*stored, *entering):
            copies[node] = graph.placeholder(node.name)
            copies[node].meta = dict(node.meta)
            argument = TensorArgument(name=node.name)
            old = self.specs.get(node.name)
            kept = old if old is not None and node in stored else None
            specs.append(
                InputSpec(InputKind.USER_INPUT, argument, None)
                if kept is None
                else InputSpec(kept.kind, argument, kept.target, kept.persistent)
            )
        for node in self.live:
            if node in needed and node not in copies:
                copies[node] = graph.node_copy(node, lambda source: copies[source])
                copies[node].name = node.name
        graph.output(tuple(copies[node] for node in leaving))
        outputs = [OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(name=copies[n].name), None) for n in leaving]
        module = torch.fx.GraphModule(self.program.graph_module, graph)
        program = ExportedProgram(
            root=module,
            graph=graph,
            graph_signature=ExportGraphSignature(specs, outputs),
            state_dict=self.program.state_dict,
            range_constraints={},
            module_call_graph=[_call_entry(len(entering), len(leaving))],
            constants=self.program.constants,
        )
        return Part(f"part_{level}", program, tuple(n.name for n in entering), tuple(n.name for n in leaving))

    def _reads(self, user: torch.fx.Node) -> bool:
        return user is self.output or user in self.level

    # -- host --------------------------------------------------------------------------------------------------

    def _is_host_call(self, node: torch.fx.Node) -> bool:
        return node in self.host and node in self.level and node.target is not operator.getitem

    def _host_step(self, node: torch.fx.Node) -> HostStep:
        name, arguments, outputs = op_name(node), self._all_arguments(node), tuple(self._value_specs(node))
        custom = self.host_ops.get(name)
        if custom is not None and custom.library is not None:
            return LibraryStep(
                op=name, arguments=arguments, outputs=outputs, library=custom.library.name, symbol=custom.symbol
            )
        if custom is not None:
            function = f"{getattr(custom.function, '__module__', '')}:{getattr(custom.function, '__qualname__', '')}"
            return PythonStep(op=name, arguments=arguments, outputs=outputs, function=function)
        if name in (NMS, BATCHED_NMS):
            boxes = node.args[0]
            assert isinstance(boxes, torch.fx.Node)
            if boxes.meta["val"].dtype != torch.float32:
                self._refuse(node, f"our kernel takes float32 boxes, these are {boxes.meta['val'].dtype}", None)
            threshold = arguments[-1]
            return NmsStep(op=name, arguments=arguments[:-1], outputs=outputs, iou_threshold=float(threshold))
        known = name in PYTHON_OPS or (name.startswith("aten.") and name.split(".")[1] in TAIL_OPS)
        if not known and not isinstance(node.meta.get("val"), torch.Tensor) and suggestion_for(name) is not None:
            self._refuse(node, "what it gives depends on the data", suggestion_for(name))
        elif not known:
            self._refuse(
                node,
                "it comes after an op whose result's size depends on the data, where a phone runs few tensor ops only",
                "move it before that op, keep a fixed size (torch.topk instead of a mask), or make it a "
                "mobilekit.custom_op",
            )
        return TensorStep(op=name, arguments=arguments, outputs=outputs)

    def _refuse(self, node: torch.fx.Node, reason: str, suggestion: str | None) -> None:
        self.unsupported.append(UnsupportedOp(op_name(node), node.name, reason, source_of(node), suggestion))

    def _value_specs(self, node: torch.fx.Node) -> Iterator[ValueSpec]:
        value = node.meta.get("val")
        if not isinstance(value, (list, tuple)):
            yield _value_spec(node.name, value)
            return
        items = {user.args[1]: user.name for user in node.users if user.target is operator.getitem}
        for index, item in enumerate(value):
            yield _value_spec(items.get(index, f"{node.name}.{index}"), item)

    def _all_arguments(self, node: torch.fx.Node) -> tuple[Any, ...]:
        """In the order of the op's schema, defaults filled in; those that say where a tensor lies become null."""
        if not isinstance(node.target, torch._ops.OpOverload):
            return tuple(self._argument(raw, node) for raw in node.args)
        found: list[Any] = []
        for index, parameter in enumerate(node.target._schema.arguments):
            raw = (
                node.args[index] if index < len(node.args) else node.kwargs.get(parameter.name, parameter.default_value)
            )
            placing = parameter.name in ("device", "layout", "pin_memory", "memory_format")
            found.append(None if placing else self._argument(raw, node))
        return tuple(found)

    def _argument(self, raw: Any, reader: torch.fx.Node) -> Any:
        if isinstance(raw, torch.fx.Node):
            return {"value": raw.name} if raw in self.varies else self._constant(raw, reader)
        if isinstance(raw, (list, tuple)):
            return [self._argument(item, reader) for item in raw]
        if isinstance(raw, torch.dtype):
            return {"dtype": name_of(raw)}
        if raw is None or isinstance(raw, (bool, int, float, str)):
            return raw
        self._refuse(reader, f"it takes {raw!r}, which the sidecar cannot say", None)
        return None

    def _constant(self, node: torch.fx.Node, reader: torch.fx.Node) -> Any:
        value = self._evaluate(node)
        if not isinstance(value, torch.Tensor):
            return value
        if value.numel() > _MOST_CONSTANTS or value.is_complex():
            self._refuse(reader, f"it reads a constant of {value.numel()} numbers, too many for the sidecar", None)
            return None
        shape, listed = list(value.shape), value.detach()
        listed = listed.float() if listed.dtype in (torch.bfloat16, torch.float16) else listed
        return {"constant": listed.flatten().tolist(), "dtype": name_of(value.dtype), "shape": shape}

    def _evaluate(self, node: torch.fx.Node) -> Any:
        """A value that no input changes: PyTorch computes it, once."""
        if node.op == "placeholder":
            target = str(self.specs[node.name].target)
            return self.program.state_dict.get(target, self.program.constants.get(target))
        args, kwargs = torch.fx.map_arg((node.args, node.kwargs), self._evaluate)
        with torch.no_grad():
            return node.target(*args, **kwargs)  # type: ignore[operator]


def _value_spec(name: str, value: Any) -> ValueSpec:
    if not isinstance(value, torch.Tensor):
        return ValueSpec(name=name, shape=(), dtype="int")
    sizes = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return ValueSpec(name=name, shape=sizes, dtype=name_of(value.dtype))


def _call_entry(inputs: int, outputs: int) -> Any:
    """torch.export's note of how the top module is called: a tuple in, a tuple out."""
    from torch.export import ModuleCallEntry, ModuleCallSignature

    arguments: Any = ((*range(inputs),), {})
    in_spec, out_spec = pytree.tree_structure(arguments), pytree.tree_structure((*range(outputs),))
    return ModuleCallEntry("", ModuleCallSignature([], [], in_spec, out_spec))


class Recorder(torch.fx.Interpreter):
    """Runs a captured program in PyTorch and keeps the values of the given names."""

    def __init__(self, program: ExportedProgram, names: Sequence[str]) -> None:
        super().__init__(program.graph_module)
        self._program = program
        self._names = frozenset(names)
        self._kept: dict[str, torch.Tensor] = {}

    def values(self, leaves: Sequence[Any]) -> dict[str, torch.Tensor]:
        """For the flattened inputs of one call."""
        self._kept = {}
        given = iter(leaves)
        arguments = [
            next(given)
            if spec.kind == InputKind.USER_INPUT
            else self._program.state_dict.get(str(spec.target), self._program.constants.get(str(spec.target)))
            for spec in self._program.graph_signature.input_specs
        ]
        with torch.no_grad():
            self.run(*arguments)
        return self._kept

    def run_node(self, n: torch.fx.Node) -> Any:
        # torch.export notes what it assumed of a size, "at least 2", as a check; the model itself has none.
        result: Any = None if _is_check(n) else super().run_node(n)
        if n.name in self._names:
            self._kept[n.name] = result  # a tensor: other values never cross a cut
        return result
