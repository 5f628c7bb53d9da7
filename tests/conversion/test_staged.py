"""Models that are cut: NMS at the end, custom ops in the middle; what runs equals PyTorch, also from disk."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree
from torchvision.ops import batched_nms, nms

import mobilekit
from mobilekit.conversion.verify_file import torch_reference, verify_file
from mobilekit.errors import InputError, UnsupportedOpsError
from mobilekit.frontends import host_ops
from mobilekit.frontends.host_ops import CustomOpError
from mobilekit.graph import reader
from mobilekit.sidecar import Sidecar

ROOT = Path(__file__).parents[2]

# Part of a file: float32 sums in another order than PyTorch's.
TOLERANCE = 1e-5


class Head(torch.nn.Module):
    """YOLO-shaped: boxes and class scores of every cell."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 7, 3, stride=4)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cells = self.conv(image).flatten(2)[0].T
        # Half a unit from cell to cell: boxes of one to two units overlap their next neighbours and no others.
        places = cells[:, :2] + 0.5 * torch.arange(len(cells))[:, None]
        boxes = torch.cat([places - 1, places + cells[:, 2:4].abs()], 1)
        scores, labels = cells[:, 4:].sigmoid().max(1)
        return boxes, scores, labels


class Plain(Head):
    def forward(self, image: torch.Tensor) -> Any:
        boxes, scores, _ = super().forward(image)
        keep = nms(boxes, scores, 0.5)
        return boxes[keep], scores[keep]


class Filtered(Head):
    def forward(self, image: torch.Tensor) -> Any:
        boxes, scores, labels = super().forward(image)
        mask = scores > 0.5
        boxes, scores, labels = boxes[mask], scores[mask], labels[mask]
        keep = nms(boxes, scores, 0.4)[:5]
        return {"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep], "count": (scores > 0.6).sum()}


class ByWhere(Head):
    def forward(self, image: torch.Tensor) -> Any:
        boxes, scores, labels = super().forward(image)
        places = torch.where(scores > 0.5)[0]
        keep = places[batched_nms(boxes[places], scores[places], labels[places], 0.5)]
        return torch.cat([boxes[keep], scores[keep, None], labels[keep, None].float()], 1)


class ByClass(Head):
    def forward(self, image: torch.Tensor) -> Any:
        boxes, scores, labels = super().forward(image)
        keep = batched_nms(boxes, scores, labels, 0.5)
        return boxes[keep], scores[keep], labels[keep]


@pytest.mark.parametrize("model", [Plain, Filtered, ByWhere, ByClass])
def test_nms_ends_the_file_and_runs_as_our_kernel(model: type[Head]) -> None:
    module = model().eval()
    result = mobilekit.convert(module, torch.rand(1, 3, 48, 48), backend="direct")
    assert any("mk_nms" in stage for stage in result.report.stages)
    assert result.sidecar.stages is not None
    nms_steps = [step for step in result.sidecar.stages.steps if step.kind == "nms"]
    assert [step.iou_threshold for step in nms_steps] == [0.4 if model is Filtered else 0.5]
    generator = torch.Generator().manual_seed(1)
    rows = 0
    for _ in range(4):
        image = torch.rand(1, 3, 48, 48, generator=generator)
        got, expected = result(image), module(image)
        assert pytree.tree_structure(got) == pytree.tree_structure(expected)
        for mine, theirs in zip(pytree.tree_leaves(got), pytree.tree_leaves(expected), strict=True):
            assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
            torch.testing.assert_close(mine, theirs, rtol=0, atol=TOLERANCE)
            rows += mine.shape[0] if mine.ndim else 0
    assert rows > 12, "boxes must be left, else the test says nothing"


def test_nms_of_an_int8_file_is_judged_before_and_after_the_cut() -> None:
    images = [torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(n)) for n in range(4)]
    result = mobilekit.convert(ByClass().eval(), images[0], backend="direct", quantize="int8", calibration=images)
    report = result.report.verification
    assert report is not None
    assert report.passed
    assert [o.name for o in report.outputs if o.name.startswith("output")] == ["output_0", "output_1", "output_2"]
    assert sum(o.name.endswith("(end of the file)") for o in report.outputs) == 3
    assert result(images[0])[0].shape[1] == 4


def test_more_than_a_thousand_boxes_by_class() -> None:
    """Above 1000 boxes torchvision loops over the classes, which no export can follow."""
    module = ByClass().eval()
    image = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(3))
    for mine, theirs in zip(mobilekit.convert(module, image, backend="direct")(image), module(image), strict=True):
        # The places reach 800, where a float32 is good to 3e-5: two units in the last place.
        torch.testing.assert_close(mine, theirs, rtol=2.5e-7, atol=TOLERANCE)


def test_torchvision_is_as_it_was_after_a_capture() -> None:
    code = batched_nms.__code__
    mobilekit.convert(ByClass().eval(), torch.rand(1, 3, 48, 48), backend="direct", verify=False)
    assert batched_nms.__code__ is code


def test_a_network_after_nms_is_refused_by_name() -> None:
    class Second(Plain):
        def forward(self, image: torch.Tensor) -> Any:
            boxes, _ = super().forward(image)
            return torch.nn.functional.gelu(torch.nn.functional.linear(boxes, torch.ones(3, 4)))

    with pytest.raises(UnsupportedOpsError) as caught:
        mobilekit.convert(Second().eval(), torch.rand(1, 3, 48, 48), backend="direct")
    assert {"aten.linear.default", "aten.gelu.default"} <= {op.op for op in caught.value.ops}
    assert "it comes after an op whose result's size depends on the data" in str(caught.value)
    assert "test_staged.py" in str(caught.value)


# -- custom ops ----------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_ops, "_HOST_OPS", {})


@torch.library.custom_op("staged_test::cumulate", mutates_args=())
def cumulate(x: torch.Tensor, scale: float, dims: list[int]) -> torch.Tensor:
    return x.cumsum(dims[0]) * scale


@cumulate.register_fake
def _(x: torch.Tensor, scale: float, dims: list[int]) -> torch.Tensor:
    return torch.empty_like(x)


class Net(torch.nn.Module):
    """Twice through the op, with a way around it: three parts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.second = torch.nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, image: torch.Tensor) -> Any:
        x = self.first(image)
        y = cumulate(x, 0.1, [3])
        z = torch.relu(self.second(y) + x)
        return cumulate(z, 0.5, [3]).mean((2, 3)), z


def in_numpy(x: np.ndarray[Any, Any], scale: float, dims: list[int]) -> np.ndarray[Any, Any]:
    return x.cumsum(dims[0], dtype=np.float32) * np.float32(scale)


SOURCE = """
#include "mobilekit/custom_op.h"
int32_t cumulate(const mk_tensor* in, int32_t ins, mk_tensor* out, int32_t outs, const double* numbers, int32_t count) {
  if (ins != 1 || outs != 1 || count != 2 || in->rank != 4 || in->dtype != 1 || numbers[1] != 3) return 7;
  int64_t rows = in->shape[0] * in->shape[1] * in->shape[2], width = in->shape[3];
  const float* x = in->data;
  float* y = out->data;
  for (int64_t r = 0; r < rows; ++r) {
    float sum = 0;
    for (int64_t i = 0; i < width; ++i) {
      sum += x[r * width + i];
      y[r * width + i] = sum * (float)numbers[0];
    }
  }
  return 0;
}
int32_t fails(const mk_tensor* in, int32_t ins, mk_tensor* out, int32_t outs, const double* n, int32_t c) { return 3; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "op.c").write_text(SOURCE)
    path = folder / "libcumulate.so"
    include = ROOT / "cpp" / "include"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", f"-I{include}", str(folder / "op.c"), "-o", str(path)], check=True)
    return path


@pytest.mark.parametrize("way", ["python", "c"])
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_custom_op_runs_between_the_parts_of_one_file(
    way: str, quantize: str | None, library: Path, tmp_path: Path, fresh: None
) -> None:
    if way == "python":
        mobilekit.custom_op("staged_test::cumulate", in_numpy)
    else:
        mobilekit.custom_op("staged_test::cumulate", library=library, symbol="cumulate")
    module, images = Net().eval(), [torch.rand(1, 3, 8, 8) for _ in range(8)]
    data = {} if quantize is None else {"quantize": quantize, "calibration": images}
    result = mobilekit.convert(module, images[0], backend="direct", **data)  # type: ignore[arg-type]
    assert result.report.verification is not None
    assert result.report.verification.passed
    stages = result.sidecar.stages
    assert stages is not None
    wanted = "python" if way == "python" else "library"
    assert [step.kind for step in stages.steps] == ["part", wanted, "part", wanted, "part"]
    graph = reader.read(result.bytes)
    assert [g.signatures[0].key for g in (graph, *graph.subgraphs)] == ["part_0", "part_1", "part_2"]
    if quantize is None:
        for mine, theirs in zip(result(images[1]), module(images[1]), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=TOLERANCE)
    else:
        # What goes wrong at a cut (a scale, an axis order) leaves an SQNR around 0 dB; int8 noise of two
        # convolutions is above 20 dB.
        assert min(output.sqnr_db for output in result.report.verification.outputs) > 20
    path = result.save(tmp_path / "net.tflite")
    sidecar = Sidecar.read(path.with_suffix(".json"))
    calls = [(image,) for image in images]
    report = verify_file(torch_reference(module), path.read_bytes(), calls, reference_name="torch", sidecar=sidecar)
    assert report.passed


def convert_net() -> None:
    mobilekit.convert(Net().eval(), torch.rand(1, 3, 8, 8), backend="direct")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, scale, dims: x[0], r"returned float32\[4, 8, 8\] as result 0, the op gives float32\[1, 4, 8, 8\]"),
        (
            lambda x, scale, dims: x.astype(np.float64),
            r"returned float64\[1, 4, 8, 8\] as result 0",
        ),
        (lambda x, scale, dims: (x, x), "returned 2 results, the op gives 1"),
        (lambda x, scale, dims: None, "returned a NoneType as result 0, not a NumPy array"),
        (lambda x, scale, dims: 1 / 0, "raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_function_that_gives_something_else(function: Any, message: str, fresh: None) -> None:
    mobilekit.custom_op("staged_test::cumulate", function)
    with pytest.raises(CustomOpError, match=message):
        convert_net()


def test_a_kernel_that_reports_an_error(library: Path, fresh: None) -> None:
    mobilekit.custom_op("staged_test::cumulate", library=library, symbol="fails")
    with pytest.raises(CustomOpError, match="returned error 3"):
        convert_net()


def test_what_cannot_be_registered(library: Path, fresh: None) -> None:
    with pytest.raises(InputError, match="torch knows no op 'staged_test::nothing'"):
        mobilekit.custom_op("staged_test::nothing", in_numpy)
    with pytest.raises(InputError, match="belongs to PyTorch"):
        mobilekit.custom_op("aten::relu", in_numpy)
    with pytest.raises(InputError, match="is no op name"):
        mobilekit.custom_op("cumulate", in_numpy)
    with pytest.raises(InputError, match="has no symbol 'nothing'"):
        mobilekit.custom_op("staged_test::cumulate", library=library, symbol="nothing")
    with pytest.raises(InputError, match=r"cannot load the library '.*nowhere\.so'"):
        mobilekit.custom_op("staged_test::cumulate", library="nowhere.so", symbol="cumulate")
    with pytest.raises(InputError, match="library and symbol go together"):
        mobilekit.custom_op("staged_test::cumulate", library=library)  # type: ignore[call-overload]
    mobilekit.custom_op("staged_test::cumulate", in_numpy)
    with pytest.raises(InputError, match="has a custom op already"):
        mobilekit.custom_op("staged_test::cumulate", in_numpy)


def test_a_sidecar_without_stages_does_not_name_them() -> None:
    """A reader that knows no stages (an older app) refuses unknown fields, and must read all other sidecars."""
    plain = mobilekit.convert(torch.nn.Linear(4, 2).eval(), torch.rand(1, 4), backend="direct").sidecar
    assert "stages" not in plain.to_json()
    assert Sidecar.from_json(plain.to_json()) == plain


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documented_example(fresh: None, capsys: pytest.CaptureFixture[str]) -> None:
    example = load_example("host_op")
    result = example.main()
    assert "then the Python function" in capsys.readouterr().out
    model, image = example.make(), torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(result(image), model(image), rtol=0, atol=TOLERANCE)


def test_on_the_command_line(tmp_path: Path) -> None:
    model = f"{ROOT / 'examples' / 'host_op.py'}:make"
    file = str(tmp_path / "net.tflite")
    shape = ["--input-shape", "1,3,16,16"]
    for arguments in (["convert", model, "-o", file, *shape], ["info", file], ["verify", model, file, *shape]):
        run = subprocess.run(
            [sys.executable, "-m", "mobilekit", *arguments], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert run.returncode == 0, run.stderr


class Counted(Plain):
    """A buffer that changes beside NMS."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, image: torch.Tensor) -> Any:
        self.calls = self.calls + 1
        return (*super().forward(image), self.calls)


def test_state_does_not_go_with_a_cut():
    with pytest.raises(InputError, match=r"buffers that change in forward \(calls\) do not go with a model"):
        mobilekit.convert(Counted().eval(), torch.rand(1, 3, 32, 32))
