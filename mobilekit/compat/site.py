"""One op where it stands: what a rule may ask about it, its tensors and its neighbours."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.schema import pack_options, unpack_options
from mobilekit.graph.versions import op_version

# The tables use the C structs' short names (TfLiteConvParams and kin), the IR uses the schema's.
_OPTION_NAMES = {
    "dilation_h": "dilation_h_factor",
    "dilation_w": "dilation_w_factor",
    "filter_h": "filter_height",
    "filter_w": "filter_width",
}
# "Parameters" of some ops that are really constant inputs.
_OPTION_INPUTS = {("STRIDED_SLICE", "strides"): 3}
# Enums that graph.schema leaves as numbers, because no other part of the house reads them as words.
_ENUM_NAMES = {"weights_format": {0: "DEFAULT", 1: "SHUFFLED4x16INT8"}}

# Which inputs are parameters of the layer rather than data: weights, bias.
WEIGHT_INDEX = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
    "BATCH_MATMUL": 1,
    "CONV_3D": 1,
}
BIAS_INDEX = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3, "CONV_3D": 2}
# The input that carries the image or the activations, where it is not input 0.
DATA_INDEX = {"TRANSPOSE_CONV": 2, "SPLIT": 1}


@functools.cache
def default_options(kind: str) -> Mapping[str, Any]:
    """What the schema gives an op of this kind for options that nobody set."""
    operator = schema_py_generated.OperatorT()
    pack_options(operator, kind, None, {})
    return unpack_options(operator)[1]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What all ops of one graph share; computed once a graph."""

    producers: Mapping[Tensor, Op]
    consumers: Mapping[Tensor, list[Op]]
    outputs: frozenset[Tensor]

    @staticmethod
    def of(graph: Graph) -> Surroundings:
        return Surroundings(graph.producers(), graph.consumers(), frozenset(graph.outputs))


@dataclass(frozen=True, eq=False)
class Site:
    """An op, the target's settings, and the graph around it."""

    op: Op
    around: Surroundings
    level: int | None = None
    """The target's own version (an Android SDK, a runtime release), where its table has one."""
    flags: Mapping[str, bool] | None = None
    folds_constants: bool = False
    """The target unpacks DEQUANTIZE and DENSIFY of constants when it loads, so what they make counts as constant."""

    @property
    def version(self) -> int:
        return op_version(self.op)

    def input(self, index: int) -> Tensor | None:
        """Input ``index``; None if the op has fewer or the optional one is left out."""
        return self.op.inputs[index] if -len(self.op.inputs) <= index < len(self.op.inputs) else None

    def output(self, index: int = 0) -> Tensor | None:
        return self.op.outputs[index] if index < len(self.op.outputs) else None

    @property
    def data(self) -> Tensor | None:
        return self.input(DATA_INDEX.get(self.op.kind, 0))

    @property
    def weights(self) -> Tensor | None:
        index = WEIGHT_INDEX.get(self.op.kind)
        return None if index is None else self.input(index)

    @property
    def bias(self) -> Tensor | None:
        index = BIAS_INDEX.get(self.op.kind)
        return None if index is None else self.input(index)

    @property
    def inputs(self) -> list[Tensor]:
        return list(self.op.present_inputs())

    @property
    def runtime_inputs(self) -> list[Tensor]:
        return [tensor for tensor in self.op.present_inputs() if not self.is_static(tensor)]

    @property
    def activation_dtype(self) -> str | None:
        """Dtype of the first input that is not a constant; of the first input if all are."""
        tensors = self.runtime_inputs or self.inputs
        return tensors[0].dtype if tensors else None

    def is_static(self, tensor: Tensor) -> bool:
        """Known before the first run: a constant, or unpacked from one by a target that does that on loading."""
        if tensor.is_constant:
            return True
        maker = self.around.producers.get(tensor)
        if maker is None or not self.folds_constants or maker.kind not in ("DEQUANTIZE", "DENSIFY"):
            return False
        return maker.inputs[0] is not None and self.is_static(maker.inputs[0])

    def values(self, index: int) -> NDArray[Any] | None:
        """The constant behind input ``index``, or None."""
        tensor = self.input(index)
        return None if tensor is None else tensor.data

    def option(self, name: str) -> Any:
        """An option by its C or schema name, the schema's default if unset; None if the op has no such option."""
        if (self.op.kind, name) in _OPTION_INPUTS:
            return self.values(_OPTION_INPUTS[self.op.kind, name])
        key = _OPTION_NAMES.get(name, name)
        value = self.op.options[key] if key in self.op.options else default_options(self.op.kind).get(key)
        names: Mapping[Any, str] = _ENUM_NAMES.get(key, {})
        return names.get(value, value) if names else value

    def axes(self, index: int = 1) -> list[int] | None:
        """Axes given by a constant input, counted from the front; None if they are not constant."""
        values, data = self.values(index), self.data
        if values is None or data is None:
            return None
        return [int(axis) % max(data.rank, 1) for axis in np.ravel(values)]

    def flag(self, name: str) -> bool:
        return bool((self.flags or {}).get(name, False))
