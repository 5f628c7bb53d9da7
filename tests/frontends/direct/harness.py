"""One way to test a lowering: PyTorch against the written bytes in LiteRT, with the invariants checked on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from mobilekit.conversion.adapter import Adapter
from mobilekit.frontends.arrays import as_arrays
from mobilekit.frontends.direct.lower import lower
from mobilekit.frontends.source import from_torch
from mobilekit.graph.ir import Graph
from mobilekit.graph.passes import run_passes
from mobilekit.graph.reader import read
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter

# float32 sums in another order differ by rounding: a few units in the last place of the largest term. Deep sums and
# transcendental functions of two libraries differ by more; 1e-5 of the largest value covers both, and a wrong op is
# orders of magnitude above it.
RELATIVE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Outcome:
    """What a test may look at beyond the numbers."""

    graph: Graph
    float_bytes: bytes

    @property
    def kinds(self) -> dict[str, int]:
        return self.graph.op_counts()


class Function(torch.nn.Module):
    """A plain function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def check_lowering(
    model: Any, *args: Any, tolerance: float = RELATIVE_TOLERANCE, delegate: str = "reference"
) -> Outcome:
    """Convert ``model`` (a module or a plain function of tensors), run it on ``args`` and compare every output.

    Also checks that shapes and dtypes are PyTorch's, that the graph is well formed before and after the passes, that
    the bytes are the same twice, and that they read back. ``delegate="both"`` runs the plain kernels and XNNPACK.
    """
    module = (model if isinstance(model, torch.nn.Module) else Function(model)).eval()
    source = from_torch(module, args)
    lowered = lower(source.need_program("direct"))
    lowered.graph.check()
    run_passes(lowered.graph)
    data = write(lowered.graph)
    assert write(lowered.graph) == data, "two writes gave different bytes"
    assert str(read(data)), "the file does not read back"
    adapter = Adapter.of(source, lowered, lowered.graph)
    leaves = adapter.leaves(args)
    with torch.no_grad():
        expected = module(*args)
    for runner in ("reference", "xnnpack") if delegate == "both" else (delegate,):
        got = adapter.flat_outputs(Interpreter(data, delegate=runner).run(adapter.real(leaves)), leaves)
        rebuilt = adapter.rebuild(got, as_torch=True)
        references, results = pytree.tree_leaves(expected), pytree.tree_leaves(rebuilt)
        assert len(references) == len(results)
        for reference, result in zip(references, results, strict=True):
            _compare(reference, result, tolerance)
    return Outcome(lowered.graph, data)


def _compare(reference: Any, result: Any, tolerance: float) -> None:
    if not isinstance(reference, torch.Tensor):
        assert result == reference
        return
    assert result.dtype == reference.dtype
    assert result.shape == reference.shape
    (expected,), (got,) = as_arrays([reference]), as_arrays([result])
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(got, expected)
        return
    finite = expected[np.isfinite(expected)]
    scale = max(1.0, float(np.abs(finite).max(initial=0.0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale, equal_nan=True)


def stored_channels_last(function: Any) -> Any:
    """``function`` on an image [N, C, H, W] that arrives stored [N, H, W, C], as it does behind a convolution."""
    return lambda image, *others: function(torch.nn.functional.max_pool2d(image, 1), *others)


def random(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> torch.Tensor:
    """Uniform numbers from a generator of their own."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator) * (high - low) + low


def integers(*shape: int, high: int, low: int = 0, seed: int = 0, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, shape, generator=generator, dtype=dtype)
