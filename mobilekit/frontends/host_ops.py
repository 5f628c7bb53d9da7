"""``mobilekit.custom_op``: ops that run beside the file, as a kernel in a shared library or as a Python function.

The model is cut at such an op (:mod:`mobilekit.frontends.direct.cut`): what comes before and after it are parts of the
file, and the op runs between them on real values in PyTorch's axis order, here and on the phone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from mobilekit.errors import InputError, MobilekitError, first_line

Function = Callable[..., Any]

# TfLiteType's numbers. Source: tensorflow/lite/core/c/c_api_types.h.
DTYPES = {
    "float32": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9, "float16": 10, "float64": 11
}  # fmt: skip


class CustomOpError(MobilekitError):
    """A custom op raised, failed, or gave something else than the op of the model gives."""


@dataclass(frozen=True)
class HostOp:
    """One registered op: a Python function, or the symbol of a library."""

    op: str
    """As the captured graph names it: ``mylib.op.default``."""
    function: Function | None = None
    library: Path | None = None
    symbol: str = ""

    def run(self, arguments: Sequence[Any], outputs: Sequence[tuple[Sequence[int], str]]) -> list[NDArray[Any]]:
        """Arrays and numbers in the order of the op's schema -> arrays of the given (shape, dtype).

        Raises :class:`CustomOpError`.
        """
        if self.function is not None:
            return _checked(self.op, _called(self.op, self.function, arguments), outputs)
        assert self.library is not None
        return _run_symbol(self.op, _symbol(self.library, self.symbol), arguments, outputs)


_HOST_OPS: dict[str, HostOp] = {}


@overload
def custom_op(op: str) -> Callable[[Function], Function]: ...
@overload
def custom_op(op: str, function: Function) -> Function: ...
@overload
def custom_op(op: str, *, library: str | Path, symbol: str) -> None: ...


def custom_op(
    op: str, function: Function | None = None, *, library: str | Path | None = None, symbol: str | None = None
) -> Any:
    """Run an op of your own beside the file: ``@mobilekit.custom_op("mylib::op")`` over a Python function of arrays,
    or ``mobilekit.custom_op("mylib::op", library="libmyop.so", symbol="my_op")`` for a kernel in C.

    ``op`` is a name registered with ``torch.library``. The function gets the op's arguments in the order of its schema,
    tensors as NumPy arrays in PyTorch's axis order, and returns an array or a tuple of them; the symbol has the
    signature in ``cpp/include/mobilekit/custom_op.h``. Shapes and dtypes must be those that the op itself gives.

    Raises :class:`~mobilekit.errors.InputError` for an op that torch does not know or that is PyTorch's own, one that
    is registered already, and a library or symbol that is not there.
    """
    key = _key(op)
    if function is not None and (library is not None or symbol is not None):
        raise InputError(f"custom_op('{op}'): give a Python function, or a library and a symbol, not both")
    if (library is None) != (symbol is None):
        raise InputError(f"custom_op('{op}'): library and symbol go together")
    if library is not None and symbol is not None:
        path = Path(library).resolve()
        _symbol(path, symbol)  # a missing library or symbol is an error here, not in the middle of a conversion
        _register(op, HostOp(key, library=path, symbol=symbol))
        return None

    def register(given: Function) -> Function:
        if not callable(given):
            raise InputError(f"custom_op('{op}'): a {type(given).__name__} is no function")
        _register(op, HostOp(key, function=given))
        return given

    return register if function is None else register(function)


def host_ops() -> dict[str, HostOp]:
    """Every registered op, by its name in a captured graph."""
    return dict(_HOST_OPS)


def _register(op: str, host_op: HostOp) -> None:
    if host_op.op in _HOST_OPS:
        raise InputError(f"'{op}' has a custom op already: register each op once")
    _HOST_OPS[host_op.op] = host_op


def _key(op: str) -> str:
    namespace, separator, name = op.partition("::")
    if not separator or not name.split(".")[0].isidentifier():
        raise InputError(f"'{op}' is no op name: write namespace::name, as in torch.library")
    if namespace in ("aten", "prims", "prim"):
        raise InputError(f"'{op}' belongs to PyTorch: a custom op is for ops of one's own namespace")
    base, _, overload_name = name.partition(".")
    packet = getattr(getattr(torch.ops, namespace), base, None)
    wanted = overload_name or "default"
    if packet is None or wanted not in packet.overloads():
        raise InputError(f"torch knows no op '{op}': register it with torch.library.custom_op first")
    return f"{namespace}.{base}.{wanted}"


# -- running -------------------------------------------------------------------------------------------------------


def _called(op: str, function: Function, arguments: Sequence[Any]) -> list[NDArray[Any]]:
    try:
        result = function(*arguments)
    except Exception as error:  # the user's own code may raise anything
        raise CustomOpError(f"custom op '{op}' raised {type(error).__name__}: {first_line(error)}") from error
    return list(result) if isinstance(result, (tuple, list)) else [result]


def _checked(op: str, results: Sequence[Any], outputs: Sequence[tuple[Sequence[int], str]]) -> list[NDArray[Any]]:
    if len(results) != len(outputs):
        raise CustomOpError(f"custom op '{op}' returned {len(results)} results, the op gives {len(outputs)}")
    for number, (result, (shape, dtype)) in enumerate(zip(results, outputs, strict=True)):
        if not isinstance(result, (np.ndarray, np.generic)):
            raise CustomOpError(
                f"custom op '{op}' returned a {type(result).__name__} as result {number}, not a NumPy array"
            )
        if tuple(result.shape) != tuple(shape) or result.dtype.name != dtype:
            raise CustomOpError(
                f"custom op '{op}' returned {result.dtype.name}{list(result.shape)} as result {number}, the op gives "
                f"{dtype}{list(shape)}"
            )
    return [np.asarray(result) for result in results]


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
    )


def _symbol(library: Path, symbol: str) -> Any:
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError as error:
        raise InputError(f"cannot load the library '{library}': {first_line(error)}") from error
    try:
        found = getattr(loaded, symbol)
    except AttributeError as error:
        raise InputError(f"the library '{library.name}' has no symbol '{symbol}'") from error
    found.restype = ctypes.c_int32
    found.argtypes = [
        ctypes.POINTER(_Tensor), ctypes.c_int32, ctypes.POINTER(_Tensor), ctypes.c_int32,
        ctypes.POINTER(ctypes.c_double), ctypes.c_int32,
    ]  # fmt: skip
    return found


def _run_symbol(
    op: str, symbol: Any, arguments: Sequence[Any], outputs: Sequence[tuple[Sequence[int], str]]
) -> list[NDArray[Any]]:
    arrays = [np.require(a, requirements="C") for a in arguments if isinstance(a, np.ndarray)]
    numbers = list(_numbers(op, [a for a in arguments if not isinstance(a, np.ndarray)]))
    results: list[NDArray[Any]] = [np.zeros(tuple(shape), dtype) for shape, dtype in outputs]
    given, given_shapes = _tensors(arrays)
    made, made_shapes = _tensors(results)
    status = symbol(given, len(arrays), made, len(results), (ctypes.c_double * len(numbers))(*numbers), len(numbers))
    del given_shapes, made_shapes  # the C code read them through pointers until here
    if status != 0:
        raise CustomOpError(f"custom op '{op}' returned error {status}")
    return results


def _tensors(arrays: Sequence[NDArray[Any]]) -> tuple[Any, list[Any]]:
    """An array of mk_tensor, and the shapes it points to, to be kept alive."""
    shapes = [(ctypes.c_int64 * max(1, array.ndim))(*array.shape) for array in arrays]
    packed = (_Tensor * len(arrays))(
        *(
            _Tensor(array.ctypes.data, shape, array.ndim, DTYPES[array.dtype.name])
            for array, shape in zip(arrays, shapes, strict=True)
        )
    )
    return packed, shapes


def _numbers(op: str, arguments: Sequence[Any]) -> Any:
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield from _numbers(op, argument)
        elif isinstance(argument, (bool, int, float)):
            yield float(argument)
        else:
            raise CustomOpError(f"custom op '{op}': a kernel in C takes tensors and numbers, not {argument!r}")
