"""``mobilekit ci init``: a configuration for the models that a project holds, found without running any of its code."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobilekit.compat.config import SECTION, ConfigError
from mobilekit.errors import OutputError

_SUFFIXES = (".tflite", ".pt2")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist", "tests", "test"})
_MODULES = frozenset({"Module", "nn.Module", "torch.nn.Module", "LightningModule", "pl.LightningModule"})
# More than anybody writes by hand; a folder of thousands of files is not what was meant.
_MOST = 100


@dataclass(frozen=True)
class FoundModel:
    """A model of the project, as the configuration would name it."""

    name: str
    model: str
    why: str


def find_models(root: str | Path) -> list[FoundModel]:
    """Model files, functions that say they return an ``nn.Module``, and module classes that need no arguments."""
    base = Path(root)
    found: list[FoundModel] = []
    taken: set[str] = set()
    for path in _files(base):
        relative = path.relative_to(base).as_posix()
        candidates = (
            [(path.stem, relative, "a model file")] if path.suffix != ".py" else list(_in_source(path, relative))
        )
        for name, model, why in candidates:
            label = name if name not in taken else f"{path.parent.name}-{name}"
            while label in taken:
                label += "-2"
            taken.add(label)
            found.append(FoundModel(label, model, why))
            if len(found) == _MOST:
                return found
    return found


def _files(base: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(base):
        names[:] = sorted(name for name in names if name not in _SKIPPED and not name.startswith("."))
        if (Path(folder) / "pyvenv.cfg").exists():
            names.clear()
            continue
        yield from (Path(folder) / name for name in sorted(files) if name.endswith((*_SUFFIXES, ".py")))


def _in_source(path: Path, relative: str) -> Iterator[tuple[str, str, str]]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            if node.returns is not None and _returns_module(node.returns) and not _required(node.args):
                yield node.name, f"{relative}:{node.name}", "a function that returns an nn.Module"
        elif isinstance(node, ast.ClassDef) and any(ast.unparse(base) in _MODULES for base in node.bases):
            init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
            if init is None or not _required(init.args, own=1):
                yield node.name, f"{relative}:{node.name}", "an nn.Module without arguments"


def _returns_module(annotation: ast.expr) -> bool:
    text = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    return str(text).removeprefix("tuple[").partition(",")[0] in _MODULES


def _required(arguments: ast.arguments, own: int = 0) -> bool:
    """Whether a call without arguments would fail; ``own`` counts self."""
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults) - own
    return positional > 0 or any(default is None for default in arguments.kw_defaults)


def config_text(models: list[FoundModel], targets: tuple[str, ...] = ("cpu", "gpu", "nnapi")) -> str:
    """The section to append to a pyproject.toml."""
    shown = ", ".join(f'"{target}"' for target in targets)
    lines = [
        f"[{SECTION}]",
        f"targets = [{shown}]",
        'runtime-min = "2.14"',
        "# Share of the ops that a target must take; a fall below the baseline fails too, once there is one:",
        '# run `mobilekit ci --update-baseline` and add: baseline = "mobilekit-baseline.json"',
        "min-coverage = { cpu = 0.9 }",
    ]
    for found in models:
        lines += [
            "",
            f"[[{SECTION}.models]]  # {found.why}",
            f"name = {_quoted(found.name)}",
            f"model = {_quoted(found.model)}",
        ]
    if not models:
        lines += [
            "",
            "# No model was found. Give a .tflite or .pt2 file, or path.py:function:",
            f"# [[{SECTION}.models]]",
        ]
        lines += ['# model = "nets/classifier.py:make"']
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_config(root: str | Path, targets: tuple[str, ...] = ("cpu", "gpu", "nnapi")) -> tuple[Path, list[FoundModel]]:
    """Append the section to ``root``'s pyproject.toml (made if there is none); returns it and the models found.

    Raises :class:`ConfigError` if it has the section already and :class:`OutputError` if it cannot be written.
    """
    path = Path(root) / "pyproject.toml"
    models = find_models(root)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if f"[{SECTION}" in before:
            raise ConfigError(f"{path} has a section [{SECTION}] already; nothing was changed")
        gap = "" if not before else ("\n" if before.endswith("\n") else "\n\n")
        with path.open("a", encoding="utf-8") as file:
            file.write(gap + config_text(models, targets))
    except OSError as error:
        raise OutputError(f"cannot write '{path}': {error.strerror or error}") from error
    return path, models
