"""Reports of earlier checks, kept by what they depend on: the model's content, the targets, and mobilekit itself.

A key covers the bytes of a model file; for a Python model, every .py file of its folder or package and the versions of
torch and of the runtime's schema. Weights that Python code loads from elsewhere are not seen: they do not change what
a target takes of a float model.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import tempfile
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mobilekit.results.base import to_jsonable
from mobilekit.results.compat import CompatReport

T = TypeVar("T")

FORMAT = 1
"""Raised when a stored report no longer reads as one; older entries are then never found."""

# Folders below a project that hold no source of the model.
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})
_DISTRIBUTIONS = ("torch", "torchvision", "timm", "transformers", "ai-edge-litert")


def key_of(model: str, root: Path, targets: Sequence[str], *settings: Any) -> str | None:
    """The key of one check; None if the model's content cannot be found, so that nothing is kept of it."""
    content = _content(model, root)
    if content is None:
        return None
    tables = [_file_digest(root / word) for word in targets if word.endswith(".json")]
    parts = [
        FORMAT,
        content,
        list(targets),
        tables,
        repr(settings),
        _own_digest(),
        _versions(),
        sys.version_info[:2],
        model,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content(model: str, root: Path) -> str | None:
    place, colon, attribute = model.rpartition(":")
    if not (colon and attribute.isidentifier()):
        return _file_digest(root / model)
    if place.endswith(".py"):
        file = root / place
        return _tree_digest(file.parent.resolve()) if file.is_file() else None
    folder = _package_folder(place.partition(".")[0], root)
    return None if folder is None else _tree_digest(folder)


def _package_folder(package: str, root: Path) -> Path | None:
    """Where a top-level package or module lies, found without importing it."""
    for candidate in (root / package, root / f"{package}.py"):
        if candidate.exists():
            return candidate.resolve()
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return None if spec.origin is None else Path(spec.origin)


def _file_digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


@functools.cache
def _tree_digest(root: Path) -> str:
    """Digest of every .py file below a folder (or of one file), names included."""
    digest = hashlib.sha256()
    for path in sorted(_sources(root)):
        digest.update(str(path.relative_to(root.parent)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _SKIPPED and not name.startswith(".")]
        if (Path(folder) / "pyvenv.cfg").exists():
            names.clear()
            continue
        yield from (Path(folder) / name for name in files if name.endswith(".py"))


@functools.cache
def _own_digest() -> str:
    """Mobilekit's own code and tables: a change of either is a change of the answer."""
    own = Path(__file__).parent.parent
    tables = hashlib.sha256()
    for path in sorted((own / "compat" / "targets").glob("*.json")):
        tables.update(path.read_bytes())
    return _tree_digest(own) + tables.hexdigest()


@functools.cache
def _versions() -> tuple[str, ...]:
    found = []
    for name in _DISTRIBUTIONS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found)


def load(folder: Path, key: str) -> CompatReport | None:
    """The report kept under ``key``, or None; a damaged entry counts as none."""
    try:
        return from_jsonable(CompatReport, json.loads((folder / f"{key}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def store(folder: Path, key: str, report: CompatReport) -> None:
    """Keep a report; a folder that cannot be written is no error, the next run is only slower."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that a run next to this one never reads half a report.
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8") as file:
            json.dump(to_jsonable(report), file)
        Path(file.name).replace(folder / f"{key}.json")
    except OSError:
        return


def from_jsonable(kind: type[T], value: Any) -> T:
    """The dataclass that :func:`to_jsonable` was given, from the plain values that it gave."""
    shape: Any = kind
    hints = _hints(shape)
    return kind(**{f.name: _value(hints[f.name], value[f.name]) for f in dataclasses.fields(shape)})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value)
    if origin is tuple:
        return tuple(_value(arguments[0], item) for item in value)
    if origin is dict:
        return {name: _value(arguments[1], item) for name, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_jsonable(hint, value)
    return value
