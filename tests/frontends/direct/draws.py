"""What hypothesis draws for a lowering: tensors of any shape, rank, dtype, axis order and memory layout.

A case is a function of a :class:`Drawer` that returns the arguments of one ATen overload. Tensors in it are inputs of
the file, unless they are wrapped as :class:`Fixed`: those are weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from hypothesis import strategies as st
from torch.utils import _pytree as pytree

Element = TypeVar("Element")

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass(frozen=True)
class Fixed:
    """A tensor that is a constant of the model."""

    tensor: torch.Tensor


@dataclass(frozen=True)
class Given:
    """An input of the model; ``order`` says how the op sees it permuted, which the lowering meets as a stored order."""

    tensor: torch.Tensor
    order: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One overload with drawn arguments, as a function of its inputs."""

    op: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def _leaves(self) -> tuple[list[Any], Any]:
        return pytree.tree_flatten((self.args, self.kwargs))

    @property
    def inputs(self) -> list[torch.Tensor]:
        return [leaf.tensor for leaf in self._leaves()[0] if isinstance(leaf, Given)]

    def __call__(self, *inputs: torch.Tensor) -> Any:
        leaves, structure = self._leaves()
        given = iter(inputs)
        filled = [
            next(given).permute(leaf.order)
            if isinstance(leaf, Given)
            else leaf.tensor
            if isinstance(leaf, Fixed)
            else leaf
            for leaf in leaves
        ]
        args, kwargs = pytree.tree_unflatten(filled, structure)
        return self.op(*args, **kwargs)

    def __repr__(self) -> str:
        def shown(leaf: Any) -> Any:
            if not isinstance(leaf, (Given, Fixed)):
                return leaf
            tensor = leaf.tensor
            text = f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)} strides {list(tensor.stride())}"
            return f"<{text} seen as {list(leaf.order)}>" if isinstance(leaf, Given) else f"<constant {text}>"

        leaves, structure = self._leaves()
        args, kwargs = pytree.tree_unflatten([shown(leaf) for leaf in leaves], structure)
        return f"{self.op}{args} {kwargs or ''}"


class Drawer:
    """Draws pieces of arguments. ``floats_only`` leaves integer and half tensors out: for the int8 list."""

    def __init__(self, draw: st.DrawFn, floats_only: bool = False) -> None:
        self._draw = draw
        self.floats_only = floats_only

    def of(self, strategy: st.SearchStrategy[Element]) -> Element:
        return self._draw(strategy)

    def one(self, *choices: Any) -> Any:
        return self._draw(st.sampled_from(choices))

    def int(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def flag(self) -> bool:
        return self._draw(st.booleans())

    def shape(self, least: int = 0, most: int = 5, sizes: tuple[int, int] = (1, 4)) -> list[int]:
        return self._draw(st.lists(st.integers(*sizes), min_size=least, max_size=most))

    def broadcasting(self, count: int, least: int = 0, most: int = 5) -> list[list[int]]:
        """Shapes that broadcast: axes of one, and missing leading axes; the first of full rank when ``least`` > 0."""
        full = self.shape(least, most, (1, 3))
        shapes = []
        for _ in range(count):
            kept = [self.one(size, 1) for size in full]
            shapes.append(kept[self.int(0, len(kept) - least if least else len(kept)) :])
        return shapes

    def dim(self, shape: Sequence[int]) -> int:
        """An axis, counted from either end."""
        rank = max(len(shape), 1)
        return self.int(-rank, rank - 1)

    def dims(self, shape: Sequence[int], least: int = 1) -> list[int]:
        if not shape:
            return []
        axes = self._draw(st.lists(st.integers(0, len(shape) - 1), min_size=least, unique=True))
        return [axis - len(shape) if self.flag() else axis for axis in axes]

    def dtype(self, *choices: torch.dtype) -> torch.dtype:
        return torch.float32 if self.floats_only and torch.float32 in choices else self.one(*choices)

    def values(self, shape: Sequence[int], dtype: torch.dtype, low: float, high: float) -> torch.Tensor:
        """Numbers of a seeded generator; integers include both ends, floats are multiples of nothing in particular."""
        generator = torch.Generator().manual_seed(self.int(0, 2**16))
        if dtype.is_floating_point:
            return (torch.rand(list(shape), generator=generator) * (high - low) + low).to(dtype)
        if dtype == torch.bool:
            low, high = 0, 1
        if dtype == torch.uint8:
            low = max(low, 0)
        return torch.randint(int(low), int(high) + 1, list(shape), generator=generator).to(dtype)

    def floats(
        self,
        shape: Sequence[int] | None = None,
        low: float = -2.0,
        high: float = 2.0,
        dtypes: Sequence[torch.dtype] = (torch.float32,),
    ) -> Given:
        """An input of floats, or of the ``dtypes`` given."""
        dtype = self.dtype(*dtypes)
        return self.given(self.values(self.shape() if shape is None else shape, dtype, low, high))

    def any_float(self, shape: Sequence[int] | None = None, low: float = -2.0, high: float = 2.0) -> Given:
        return self.floats(shape, low, high, FLOATS)

    def numbers(self, shape: Sequence[int] | None = None, low: float = -5, high: float = 5) -> Given:
        """float32, or integers of any width."""
        return self.floats(shape, low, high, (torch.float32, *INTEGERS))

    def integers(self, shape: Sequence[int] | None = None, low: int = -5, high: int = 5) -> Given:
        dtype = self.one(*INTEGERS)
        return self.given(self.values(self.shape() if shape is None else shape, dtype, low, high))

    def indices(self, shape: Sequence[int], length: int, negative: bool = False) -> Given | Fixed:
        """int64 positions along an axis, as an input or as a constant."""
        tensor = self.values(shape, torch.int64, -length if negative else 0, length - 1)
        return Fixed(tensor) if self.flag() else self.given(tensor)

    def mask(self, shape: Sequence[int]) -> Given:
        return self.given(self.values(shape, torch.bool, 0, 1))

    def weight(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Fixed:
        return Fixed(self.values(shape, torch.float32, low, high))

    def maybe(self, make: Callable[[], Element]) -> Element | None:
        return make() if self.flag() else None

    def given(self, tensor: torch.Tensor) -> Given:
        """The tensor as an input: stored as the op sees it or permuted, contiguous, strided or with gaps."""
        order = list(self._draw(st.permutations(range(tensor.dim())))) if self.flag() else list(range(tensor.dim()))
        inverse = [order.index(axis) for axis in range(len(order))]
        stored = tensor.permute(inverse).contiguous()
        layout = self.one("contiguous", "contiguous", "reversed axes", "gaps")
        if layout == "reversed axes":
            axes = list(reversed(range(stored.dim())))
            stored = stored.permute(axes).contiguous().permute(axes)
        elif layout == "gaps" and stored.dim():
            stored = torch.repeat_interleave(stored, 2, dim=-1)[..., ::2]
        return Given(stored, tuple(order))


Case = Callable[[Drawer], tuple[Any, ...]]


@st.composite
def calls(draw: st.DrawFn, op: Callable[..., Any], case: Case, floats_only: bool = False) -> Call:
    """A call of ``op`` with arguments of ``case``; a dict that the case gives last is the keyword arguments."""
    args = case(Drawer(draw, floats_only))
    if args and isinstance(args[-1], dict):
        return Call(op, args[:-1], args[-1])
    return Call(op, args, {})
