"""What a .tflite file holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorSummary:
    """An input or output as the file stores it."""

    name: str
    shape: tuple[int, ...]
    """-1 for a dynamic dimension."""
    dtype: str
    scale: float | None
    """None where the tensor is not quantized, or is so along an axis."""
    zero_point: int | None


@dataclass(frozen=True)
class FileSummary:
    """One .tflite file at a glance."""

    name: str
    size_bytes: int
    weight_bytes: int
    """Of all constants, each counted once."""
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    op_counts: dict[str, int]
    float_ops: tuple[str, ...]
    """Names of the ops that make a floating-point tensor."""
    min_runtime_version: str
    description: str
    signatures: tuple[str, ...]
    metadata: tuple[str, ...]
    subgraphs: int

    @property
    def full_integer(self) -> bool:
        """No op makes a floating-point tensor."""
        return not self.float_ops
