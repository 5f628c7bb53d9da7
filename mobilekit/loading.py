"""A model as people name it on a command line -> the object to work on.

====================================  ==================================================================
``path/to/net.py:make``               the function (class, or finished module) ``make`` of a Python file
``torchvision.models:mobilenet_v2``   the same of a package that can be imported, or of the current folder
``net.pt2``                           a saved ``torch.export`` program
``net.tflite``, ``net.onnx``          the path itself, checked to be a readable file
``net.keras``, ``net.h5``, a folder   the same for TensorFlow's: Keras files, a SavedModel; ``folder:name`` names one of
                                      its signatures
====================================  ==================================================================

A function is called without arguments and gives an ``nn.Module``, or ``(module, example_inputs)``. torch is imported
only where a module or a program has to be made.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import linecache
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from mobilekit.errors import InputError, ModelLoadError

FORMS = "path.py:function, package.module:function, a .pt2, .onnx, .tflite, .keras or .h5 file, or a SavedModel"

Kind = Literal["module", "program", "onnx", "tflite", "tensorflow"]

FILE_KINDS = frozenset({"onnx", "tflite", "tensorflow"})
"""Kinds that are files of another framework: a path, with a runtime of its own as the reference."""


@dataclass(frozen=True)
class LoadedModel:
    """What a name stood for."""

    name: str
    """Short, for reports and file names: ``mobilenet_v2``."""
    kind: Kind
    model: Any
    """nn.Module ("module"), ExportedProgram ("program") or Path ("onnx", "tflite", "tensorflow")."""
    example_inputs: tuple[Any, ...] | None = None
    """What the user's function, or the saved program, gave as inputs."""
    signature: str | None = None
    """Which signature of a SavedModel, if one was named."""


def load_model(spec: str) -> LoadedModel:
    """Load the model that ``spec`` names; :class:`ModelLoadError` says what was wrong, with the user's line."""
    target, colon, attribute = spec.rpartition(":")
    folder = Path(target) if colon and _is_saved_model(Path(target)) else Path(spec)
    if spec and folder.is_dir():
        return _from_folder(folder, attribute if colon and folder == Path(target) else None)
    if colon and attribute.isidentifier():
        return _from_python(target, attribute)
    path = Path(spec)
    suffix = path.suffix.lower()
    if suffix not in _FILES:
        raise ModelLoadError(_unknown_form(path, suffix))
    _check_file(path)
    return _FILES[suffix](path)


def _is_saved_model(path: Path) -> bool:
    return (path / "saved_model.pb").is_file()


def _from_folder(path: Path, signature: str | None) -> LoadedModel:
    if not _is_saved_model(path):
        raise ModelLoadError(f"'{path}' is a folder, not a model file (a SavedModel's would hold saved_model.pb)")
    return LoadedModel(path.resolve().name, "tensorflow", path, signature=signature)


def _unknown_form(path: Path, suffix: str) -> str:
    if suffix == ".py":
        return f"'{path}' names a file but no function in it: write {path}:function"
    if suffix in (".pt", ".pth", ".bin", ".ckpt", ".safetensors") and path.exists():
        return (
            f"'{path}' holds weights or a pickled object, not a whole model: write a function that builds the module "
            "and loads them, and give path.py:function; or save a program with torch.export.save(..., 'model.pt2')"
        )
    if not path.exists() and suffix:
        return f"no such file: '{path}'"
    return f"'{path}' is no model: give {FORMS}"


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ModelLoadError(f"no such file: '{path}'")
    if not path.is_file():
        raise ModelLoadError(f"'{path}' is a folder, not a model file")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ModelLoadError(f"cannot read '{path}': {error.strerror or error}") from error
    if empty:
        raise ModelLoadError(f"'{path}' is empty")


def _from_program(path: Path) -> LoadedModel:
    import torch

    try:
        with _muted("torch.export"):  # it logs the traceback of what it then raises
            program = torch.export.load(path)
    except Exception as error:  # torch.export.load raises whatever the damaged archive leads it to
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ModelLoadError(f"'{path}' is no program that torch {torch.__version__} can load ({reason})") from error
    args, kwargs = program.example_inputs or ((), {})
    return LoadedModel(path.stem, "program", program, tuple(args) if args and not kwargs else None)


@contextlib.contextmanager
def _muted(logger_name: str) -> Iterator[None]:
    logger = logging.getLogger(logger_name)
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


_FILES: dict[str, Callable[[Path], LoadedModel]] = {
    ".pt2": _from_program,
    ".tflite": lambda path: LoadedModel(path.stem, "tflite", path),
    ".onnx": lambda path: LoadedModel(path.stem, "onnx", path),
    ".keras": lambda path: LoadedModel(path.stem, "tensorflow", path),
    ".h5": lambda path: LoadedModel(path.stem, "tensorflow", path),
}


def _from_python(target: str, attribute: str) -> LoadedModel:
    found, place, user_file = _attribute(target, attribute, f"{target}:{attribute}", f"model: give {FORMS}")
    model, example_inputs = _build(found, f"'{attribute}' in {place}", user_file)
    return LoadedModel(attribute, "module", model, example_inputs)


def load_function(spec: str, purpose: str) -> Callable[..., Any]:
    """The function that ``spec`` (path.py:function or package.module:function) names, not called.

    ``purpose`` says in an error what it was to be. Raises :class:`ModelLoadError`.
    """
    target, colon, attribute = spec.rpartition(":")
    if not colon or not attribute.isidentifier():
        raise ModelLoadError(f"'{spec}' is no {purpose}: give path.py:function or package.module:function")
    found = _attribute(target, attribute, spec, f"{purpose}: give path.py:function or package.module:function")[0]
    if not callable(found):
        raise ModelLoadError(f"'{attribute}' in '{target}' is {_type_name(found)}, not a function: no {purpose}")
    function: Callable[..., Any] = found
    return function


def _attribute(target: str, attribute: str, spec: str, forms: str) -> tuple[Any, str, Path | None]:
    """(what is named, its place in words, the user's file)."""
    if target.endswith(".py"):
        path = Path(target)
        _check_file(path)
        place, user_file = f"'{path}'", _resolved(path)
        module = _import(place, lambda: _import_file(path), user_file)
    else:
        place = f"'{target}'"
        if not all(part.isidentifier() for part in target.split(".")):
            raise ModelLoadError(f"'{spec}' is no {forms}")
        module = _import(place, lambda: _import_package(target), None, target)
        user_file = _resolved(module.__file__)
    if not hasattr(module, attribute):
        raise ModelLoadError(f"{place} has no '{attribute}'{_suggest(module, attribute)}")
    return getattr(module, attribute), place, user_file


def _resolved(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).resolve()


def _import_file(path: Path) -> ModuleType:
    """Run a file as a module of its own; files beside it can be imported from it, as with ``python path.py``."""
    name = f"mobilekit_user_{path.stem}"
    location = importlib.util.spec_from_file_location(name, path.resolve())
    if location is None or location.loader is None:
        raise ModelLoadError(f"'{path}' cannot be read as Python")
    module = importlib.util.module_from_spec(location)
    sys.modules[name] = module  # dataclasses and pickles inside the file look their module up by name
    with _first_on_path(path.resolve().parent):
        try:
            location.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return module


def run_registrations(path: str | Path) -> None:
    """Run a user's file for what it registers (``mobilekit.custom_op``, ``mobilekit.lowering``, torch.library)."""
    file = Path(path)
    if file.suffix != ".py" or not file.is_file():
        raise ModelLoadError(f"'{path}' is no Python file")
    _import(f"'{path}'", lambda: _import_file(file), file.resolve())


def _import_package(name: str) -> ModuleType:
    with _first_on_path(Path.cwd()):
        return importlib.import_module(name)


@contextlib.contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """Put ``folder`` first on sys.path and leave it there, last: a function may import lazily."""
    entry = str(folder)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
        if entry not in sys.path:
            sys.path.append(entry)


def _import(place: str, run: Callable[[], ModuleType], user_file: Path | None, wanted: str = "") -> ModuleType:
    try:
        return run()
    except ModuleNotFoundError as error:
        if wanted and error.name and (wanted == error.name or wanted.startswith(f"{error.name}.")):
            raise ModelLoadError(f"no module named '{error.name}', installed or in the current folder") from error
        raise ModelLoadError(f"cannot import {place}: {describe_user_error(error, user_file)}") from error
    except (Exception, SystemExit) as error:
        raise ModelLoadError(f"cannot import {place}: {describe_user_error(error, user_file)}") from error


def _suggest(module: ModuleType, attribute: str) -> str:
    import difflib

    names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    close = difflib.get_close_matches(attribute, names, n=3)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    own = [name for name in names if getattr(getattr(module, name), "__module__", None) == module.__name__]
    return f"; it has {', '.join(sorted(own)[:8])}" if own else ""


def _build(found: Any, what: str, user_file: Path | None) -> tuple[Any, tuple[Any, ...] | None]:
    """Call what the user named, and tell the module from the example inputs."""
    import torch

    if isinstance(found, torch.nn.Module):
        return found, None
    if not callable(found):
        raise ModelLoadError(f"{what} is {_type_name(found)}, not a function that returns an nn.Module")
    needed = _required_parameters(found)
    if needed:
        raise ModelLoadError(f"{what} needs arguments ({', '.join(needed)}): write a function without any, calling it")
    try:
        result = found()
    except (Exception, SystemExit) as error:
        raise ModelLoadError(f"{what} raised {describe_user_error(error, user_file)}") from error
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], torch.nn.Module):
        return result[0], _as_inputs(result[1], what)
    if not isinstance(result, torch.nn.Module):
        raise ModelLoadError(f"{what} returned {_type_name(result)}, not an nn.Module or (module, example_inputs)")
    return result, None


def _required_parameters(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature: calling it will tell
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in optional]


def _as_inputs(value: Any, what: str) -> tuple[Any, ...]:
    import torch

    if isinstance(value, torch.Tensor):
        return (value,)
    if isinstance(value, (tuple, list)) and value:
        return tuple(value)
    raise ModelLoadError(f"{what} returned {_type_name(value)} as example inputs, not a tensor or a tuple of tensors")


def _type_name(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of ({', '.join(type(item).__name__ for item in value[:4])})"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def describe_user_error(error: BaseException, user_file: Path | None) -> str:
    """One line: the error and the last line of the user's own file on its way, ``ValueError: bad (net.py:12: ...)``."""
    text = f"{type(error).__name__}: {first_line(error)}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{text.split(' (')[0]} ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if user_file is not None and Path(frame.filename).resolve() == user_file]
    outside = [frame for frame in frames if not _is_machinery(frame.filename)]
    for frame in (own or outside)[-1:]:
        code = linecache.getline(frame.filename, frame.lineno or 0).strip()
        text += f" ({frame.filename}:{frame.lineno}{f': {code}' if code else ''})"
    return text


def _is_machinery(filename: str) -> bool:
    return filename.startswith("<frozen ") or filename == __file__ or filename == importlib.__file__


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def parse_shape(text: str) -> tuple[int, ...]:
    """``1,3,224,224`` (or ``1x3x224x224``) -> a tuple; every dimension at least 1."""
    parts = text.replace("x", ",").split(",")
    try:
        shape = tuple(int(part) for part in parts)
    except ValueError:
        raise InputError(f"'{text}' is no shape: write it as 1,3,224,224") from None
    if any(dim < 1 for dim in shape):
        raise InputError(f"shape {text}: every dimension must be at least 1")
    return shape


def zeros_of(texts: Sequence[str]) -> tuple[Any, ...]:
    """A tensor of zeros for each ``1,3,224,224`` or ``1,128:int64``; float32 where no dtype is said."""
    import torch

    tensors = []
    for text in texts:
        dims, _, dtype = text.partition(":")
        kind = getattr(torch, dtype or "float32", None)
        if not isinstance(kind, torch.dtype):
            raise InputError(f"shape {text}: torch has no dtype '{dtype}'")
        tensors.append(torch.zeros(parse_shape(dims), dtype=kind))
    return tuple(tensors)
