"""Models quantized in PyTorch (PT2E) keep their scales in the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.errors import BackendError, InputError
from mobilekit.graph.reader import read

move_exported_model_to_eval = pytest.importorskip(
    "torchao.quantization.pt2e", reason="needs torchao"
).move_exported_model_to_eval
pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e", reason="needs torchao")
xnnpack = pytest.importorskip("torchao.testing.pt2e._xnnpack_quantizer", reason="needs torchao")


class Net(nn.Module):
    def __init__(self, softmax: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1)
        self.head, self.softmax = nn.Linear(8, 5), softmax

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        x = x + torch.relu(self.second(x))
        x = self.head(x.mean((2, 3)))
        return x.softmax(1) if self.softmax else x


def images(count: int) -> list[torch.Tensor]:
    return [torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in range(count)]


class TrainedNet(Net):
    """With a batch norm, which training in 8 bits folds into the convolution's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return self.head((x + torch.relu(self.second(x))).mean((2, 3)))


def quantizer_of(unsigned: bool = False, trained: bool = False) -> Any:
    config = xnnpack.get_symmetric_quantization_config(is_per_channel=True, is_qat=trained)
    if unsigned:
        spec = replace(config.input_activation, dtype=torch.uint8, quant_min=0, quant_max=255)
        config = replace(config, input_activation=spec, output_activation=spec)
    return xnnpack.XNNPACKQuantizer().set_global(config)


def trained(model: nn.Module) -> Any:
    """A few steps of training with fake quantization (QAT)."""
    program = torch.export.export(model.train(), (images(1)[0],)).module()
    prepared = pt2e.prepare_qat_pt2e(program, quantizer_of(trained=True))
    optimizer = torch.optim.SGD(prepared.parameters(), lr=0.05)
    for image in images(8):
        optimizer.zero_grad()
        (prepared(image) - torch.linspace(-1, 1, 5)).square().mean().backward()
        optimizer.step()
    move_exported_model_to_eval(prepared)
    return torch.export.export(pt2e.convert_pt2e(prepared), (images(1)[0],))


def quantized(model: nn.Module, unsigned: bool = False) -> Any:
    quantizer = quantizer_of(unsigned)
    prepared = pt2e.prepare_pt2e(torch.export.export(model.eval(), (images(1)[0],)).module(), quantizer)
    for image in images(8):
        prepared(image)
    return torch.export.export(pt2e.convert_pt2e(prepared), (images(1)[0],))


Affine = tuple[float, int]


def activations_of(program: Any) -> set[Affine]:
    """Scale and zero point, as int8 has it, of every activation that the program quantizes."""
    nodes = [n for n in program.graph.nodes if str(n.target) == "quantized_decomposed.quantize_per_tensor.default"]
    shift = {torch.int8: 0, torch.uint8: 128}
    return {(float(np.float32(n.args[1])), int(n.args[2]) - shift[n.args[5]]) for n in nodes}


def weights_of(program: Any) -> list[list[float]]:
    """The scales a channel of every layer's weights."""
    nodes = [n for n in program.graph.nodes if "dequantize_per_channel" in str(n.target)]
    targets = {s.arg.name: s.target for s in program.graph_signature.input_specs}
    return [program.state_dict[targets[n.args[1].name]].float().tolist() for n in nodes]


MODELS = {
    "int8": lambda: quantized(Net()),
    "uint8": lambda: quantized(Net(), unsigned=True),
    "trained": lambda: trained(TrainedNet()),
}


@pytest.mark.parametrize("kind", MODELS)
def test_scales_are_kept_and_the_numbers_are_those_of_pytorch(kind: str) -> None:
    torch.manual_seed(0)
    program = MODELS[kind]()
    result = mobilekit.convert(program)
    assert result.report.quantize == "given"
    graph = read(result.bytes)
    stored = [t for t in graph.tensors() if t.dtype == "int8" and t.quantization is not None]
    kept = {(float(t.quantization.scale[0]), int(t.quantization.zero_point[0])) for t in stored if t.data is None}
    assert kept == activations_of(program)
    layers = [op for op in graph.ops if op.kind in ("CONV_2D", "FULLY_CONNECTED")]
    assert sorted(op.inputs[1].quantization.scale.tolist() for op in layers) == sorted(weights_of(program))
    # PyTorch keeps biases in float; TFLite's are integers.
    (note,) = result.report.notes
    assert note.startswith(
        "biases of 3 of 3 layers are rounded, by half a step at most, to TFLite's int32 at the scale"
    )
    assert result.report.float_islands == ()
    assert result.report.full_integer
    # Both round to the same steps; float sums against int32 sums may fall on two sides of a rounding in each of the
    # five quantized layers, and a step of one layer is at most a step or so of the next: two of the output's steps.
    step = float(next(op for op in graph.ops if op.kind == "FULLY_CONNECTED").output.quantization.scale[0])
    for image in images(8):
        reference = program.module()(image)
        assert float((result(image) - reference).abs().max()) <= 2 * step + 1e-6


def test_what_has_no_scale_stays_in_float_and_is_listed() -> None:
    torch.manual_seed(0)
    report = mobilekit.convert(quantized(Net(softmax=True))).report
    assert [island.kind for island in report.float_islands] == ["SOFTMAX"]
    assert not report.full_integer


def test_another_backend_is_refused() -> None:
    with pytest.raises(BackendError, match="is quantized already, and backend 'onnx2tf' would lose its scales"):
        mobilekit.convert(quantized(Net()), backend="onnx2tf")


def test_a_recipe_on_top_is_refused() -> None:
    with pytest.raises(InputError, match="is quantized already and holds its own scales: leave quantize= out"):
        mobilekit.convert(quantized(Net()), quantize="int8", calibration=images(2))
