"""What ``convert`` returns: the bytes, what is known of them, and the model as a function again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from mobilekit.conversion.adapter import Adapter
from mobilekit.conversion.calibration import calls
from mobilekit.conversion.inputs import open_data
from mobilekit.conversion.stages import StageRunner
from mobilekit.errors import InputError, OutputError
from mobilekit.files import write_files
from mobilekit.graph.ir import Graph
from mobilekit.quantize import QuantizeResult, debug, layer_errors
from mobilekit.quantize.calibrate import Progress
from mobilekit.results import ConversionReport, LayerError
from mobilekit.results.debugging import DebugReport
from mobilekit.runtime import Interpreter
from mobilekit.sidecar import Sidecar


class Converted:
    """A converted model. Call it like the PyTorch model; it runs the .tflite bytes and answers in the same form."""

    def __init__(
        self,
        data: bytes,
        sidecar: Sidecar,
        report: ConversionReport,
        adapter: Adapter,
        float_graph: Graph,
        quantized: QuantizeResult | None,
    ) -> None:
        self.bytes = data
        self.sidecar = sidecar
        self.report = report
        self.path: Path | None = None
        self._adapter = adapter
        self._float_graph = float_graph
        self._quantized = quantized
        self._interpreter: Interpreter | None = None
        self._stages: StageRunner | None = None
        self._state: list[NDArray[Any]] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the PyTorch model returns for these inputs: same order, shapes, layout, dtypes and nesting.

        Takes torch tensors or NumPy arrays and answers in kind. The shapes are those of the example inputs. Buffers
        that change in forward are carried from call to call, as the module does; :meth:`reset` begins anew.
        """
        leaves = self._adapter.leaves(args, kwargs)
        as_torch = any(isinstance(leaf, torch.Tensor) for leaf in leaves)
        return self._adapter.rebuild(self.run_leaves(leaves), as_torch=as_torch)

    def run_leaves(self, leaves: Sequence[Any]) -> list[Any]:
        """The flattened outputs, dequantized in float64, for flattened inputs."""
        if self.sidecar.stages is not None:
            self._adapter.real(leaves)  # for its checks of shapes and dtypes
            if self._stages is None:
                self._stages = StageRunner(self.bytes, self.sidecar.stages)
            values = self._stages.values({spec.name: leaves[spec.leaf] for spec in self._adapter.inputs})
            return self._stages.results(values)
        if self._interpreter is None:
            self._interpreter = Interpreter(self.bytes)
        stored = self._adapter.stored(self._adapter.real(leaves, self._state))
        answer = self._interpreter.run(stored)
        self._state = self._adapter.next_state(answer)
        return self._adapter.flat_outputs(answer, leaves)

    def reset(self) -> None:
        """Let buffers that change in forward hold what they held when the model was converted."""
        self._state = None

    def layer_errors(self, samples: Any) -> tuple[LayerError, ...]:
        """SQNR of every tensor of the quantized graph against the float graph; empty for a float conversion.

        ``samples``: inputs in any form that ``calibration=`` of convert takes. Empty for a model in stages.
        """
        if self._quantized is None or self.sidecar.stages is not None:
            return ()
        return layer_errors(self._float_graph, self._quantized, self._samples(samples))

    def debug(self, data: Any, *, progress: Progress | None = None) -> DebugReport:
        """Where the file loses precision: see :func:`mobilekit.quantize.debug`.

        ``data``: inputs in any form that ``calibration=`` of convert takes.
        :class:`~mobilekit.errors.InputError` for a float file.
        """
        if self._quantized is None:
            raise InputError("a float file has no quantization to look into: convert with quantize=")
        return debug(self._quantized, self._samples(data), progress=progress)

    def _samples(self, data: Any) -> Iterator[list[NDArray[Any]]]:
        """Inputs in any form -> the file's real-valued arrays, one list a call."""
        return (
            self._adapter.real(self._adapter.spread(call))
            for call in calls(open_data(data, self.sidecar.preprocess), self._adapter.signatures())
        )

    def save(self, path: str | Path) -> Path:
        """Write the .tflite file and its sidecar (the same name with ``.json``): both, or nothing.

        Raises :class:`~mobilekit.errors.OutputError` when it cannot be written.
        """
        target = Path(path)
        if target.suffix == ".json":
            raise OutputError(f"'{path}' is where the sidecar would go: name the file .tflite")
        write_files({target: self.bytes, target.with_suffix(".json"): self.sidecar.to_json().encode()})
        self.path = target
        return target

    def __repr__(self) -> str:
        kind = self.report.quantize if self.report.quantize != "none" else "float"
        return f"<Converted {self.report.model} {kind}, {len(self.bytes) / 1e6:.2f} MB, {self.report.backend}>"
