"""A layer imports only what stands below it; and between the parts of one layer there are no cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mobilekit"

# From the top down; the parts of one line stand side by side. docs/architecture.md shows the same picture.
LAYERS = [
    ["__main__", "cli", "commands", "bench.__main__"],  # one part in several files: the command line
    ["render"],
    ["conversion", "bench", "evaluate", "android"],
    ["compat", "quantize", "loading"],
    ["frontends"],
    ["graph", "tasks", "runtime", "kernels", "sidecar"],
    ["results", "errors", "source", "files", "interrupts", "streams", "warnings", "_native", "_version"],
]
LEVEL = {part: level for level, parts in enumerate(reversed(LAYERS)) for part in parts}


def modules() -> Iterator[tuple[str, Path]]:
    """(dotted name, file) of every module below mobilekit/; the package's own __init__ only names what is public."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def part_of(module: str) -> str:
    """``graph.passes.fold_constants`` -> ``graph``; a ``__main__`` is a command line, whatever folder it is in."""
    first, _, rest = module.partition(".")
    return f"{first}.__main__" if rest.partition(".")[0] == "__main__" else first


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module below mobilekit) of every import in a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute, so that they can be searched for"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("mobilekit."):
                yield node.lineno, name.removeprefix("mobilekit.")


def upward_imports(part: str, path: Path) -> list[str]:
    return [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {part} imports {part_of(target)}, which stands above it"
        for line, target in imports_of(path)
        if part_of(target) in LEVEL and LEVEL[part_of(target)] > LEVEL[part]
    ]


def test_every_part_has_its_layer() -> None:
    parts = {part_of(module) for module, _ in modules()}
    assert parts <= set(LEVEL), f"give {sorted(parts - set(LEVEL))} a place in LAYERS, and in docs/architecture.md"


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_point_down(module: str, path: Path) -> None:
    assert upward_imports(part_of(module), path) == []


def test_an_upward_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself: an import upwards is found at the top, inside a function and in either spelling."""
    monkeypatch.setattr("tests.test_layers.PACKAGE", tmp_path / "mobilekit")
    file = tmp_path / "mobilekit" / "graph" / "bad.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import mobilekit.cli\n"
        "from mobilekit.errors import GraphError\n"
        "def f():\n"
        "    from mobilekit.conversion.pipeline import convert\n"
        "    from mobilekit import quantize\n"
    )
    assert upward_imports("graph", file) == [
        "mobilekit/graph/bad.py:1: graph imports cli, which stands above it",
        "mobilekit/graph/bad.py:4: graph imports conversion, which stands above it",
        "mobilekit/graph/bad.py:5: graph imports quantize, which stands above it",
    ]


def test_no_cycles_between_parts() -> None:
    """Side by side is fine one way (tasks -> kernels), not both ways."""
    uses: dict[str, set[str]] = {part: set() for part in set(LEVEL) - set(LAYERS[0])}
    for module, path in modules():
        if (part := part_of(module)) in uses:
            uses[part] |= {part_of(target) for _, target in imports_of(path)} & set(uses) - {part}
    while leaves := [part for part, below in uses.items() if not below]:
        for leaf in leaves:
            del uses[leaf]
        uses = {part: below - set(leaves) for part, below in uses.items()}
    assert uses == {}, "these import each other in a circle"
