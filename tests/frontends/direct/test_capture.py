"""Capturing: errors in the user's own terms, inputs that can be known, in-place ops that need care."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mobilekit.errors import CaptureError, InputError
from mobilekit.frontends.direct.capture import capture, infer_inputs, source_of
from tests.frontends.direct.harness import Function, random


class _Raises(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("the image is too dark")


class _Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            return x
        return -x


def test_training_mode_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match=r"training mode.*call model.eval\(\)"):
        capture(nn.Sequential(nn.Dropout()).train(), (random(2),))


def test_a_model_that_raises_is_quoted_with_its_line() -> None:
    with pytest.raises(CaptureError, match=r"raises in forward with float32\[2\]: ValueError: the image is too dark"):
        capture(_Raises().eval(), (random(2),))
    with pytest.raises(CaptureError, match=r"test_capture.py:\d+"):
        capture(_Raises().eval(), (random(2),))


def test_control_flow_that_depends_on_data_says_what_to_write() -> None:
    with pytest.raises(
        CaptureError,
        match=r"cannot capture the model.*test_capture.py:\d+: if x.sum.*\n  instead: torch.where.*torch.cond",
    ):
        capture(_Branches().eval(), (random(2),))


def test_wrong_example_is_the_models_own_error() -> None:
    with pytest.raises(CaptureError, match=r"raises in forward with float32\[1, 4, 8, 8\]: RuntimeError"):
        capture(nn.Conv2d(3, 4, 3).eval(), (random(1, 4, 8, 8),))


def test_a_tensor_alone_is_one_argument() -> None:
    captured = capture(nn.ReLU().eval(), random(2, 3))
    assert len(captured.example_args) == 1
    assert captured.origins == ()


def test_an_exported_program_is_taken_as_it_is() -> None:
    program = torch.export.export(nn.ReLU().eval(), (random(2, 3),))
    captured = capture(program)
    assert captured.program is program
    assert captured.example_args[0].shape == (2, 3)


# -- inferred inputs ---------------------------------------------------------------------------------------------


def test_inputs_from_a_first_convolution_are_said_to_be_assumed() -> None:
    (image,), (origin,) = infer_inputs(nn.Sequential(nn.Conv2d(5, 2, 3)))
    assert image.shape == (1, 5, 224, 224)
    assert origin.reason == "the 5 channels of '0', at an assumed 224 x 224"


def test_inputs_from_lightning_and_timm() -> None:
    model = nn.ReLU()
    model.default_cfg = {"input_size": (3, 160, 192)}  # type: ignore[assignment]
    assert infer_inputs(model)[0][0].shape == (1, 3, 160, 192)
    model.default_cfg = SimpleNamespace(input_size=(1, 28, 28))  # type: ignore[assignment]
    assert infer_inputs(model)[0][0].shape == (1, 1, 28, 28)
    model.example_input_array = random(4, 7)
    assert infer_inputs(model)[0][0].shape == (4, 7)


def test_inputs_that_nothing_says_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"cannot be inferred: give example_inputs, e.g. \(torch"):
        infer_inputs(nn.Sequential(nn.Linear(3, 4), nn.Conv2d(1, 1, 1)))


def test_inferring_leaves_the_global_generator_alone() -> None:
    model = nn.Conv2d(3, 2, 3)
    before = torch.random.get_rng_state()
    infer_inputs(model)
    assert torch.equal(before, torch.random.get_rng_state())


# -- in-place ops ------------------------------------------------------------------------------------------------


def _targets(function: Any) -> list[str]:
    program = capture(Function(function).eval(), (random(2, 3),)).program
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


def test_harmless_in_place_ops_stay_as_they_are() -> None:
    """Making them functional costs as much time as the export itself."""
    assert "aten.relu_.default" in _targets(lambda x: (x + 1).relu_())


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.clone()[:, 0].add_(1),  # writes into a view
        lambda x: (lambda y: (y.view(-1), y.add_(1)))(x.clone()),  # a view sees the write
    ],
)
def test_in_place_ops_on_shared_memory_are_made_functional(function: Any) -> None:
    assert not any("_." in target and "add_" in target for target in _targets(function))


def test_source_of_a_node_is_the_users_line() -> None:
    program = capture(Function(lambda x: x.sin()).eval(), (random(2),)).program
    node = next(node for node in program.graph.nodes if node.op == "call_function")
    source = source_of(node)
    assert source is not None
    assert source.file.endswith("harness.py")
    assert source.code == "return self.function(*args)"


def test_a_line_of_torchvision_is_the_users_and_one_of_torch_is_not() -> None:
    import torchvision

    program = capture(torchvision.models.mobilenet_v2(weights=None).eval(), (torch.rand(1, 3, 32, 32),)).program
    sources = [source_of(node) for node in program.graph.nodes if node.op == "call_function"]
    assert {Path(source.file).name for source in sources if source is not None} == {"mobilenetv2.py"}
