"""Write docs/op-coverage.md: what mobilekit converts and quantizes, and what each target takes, from its own tables.

    python -m tools.op_coverage           # write the page
    python -m tools.op_coverage --check   # exit 1 if it is stale

Nothing is converted: the list of lowerings, the int8 rules and the tables of the targets are read as they are.
tests/test_op_coverage.py fails when the page is stale.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from mobilekit.compat.tables import NAMES, RUNTIME, builtin_table, parse_release
from mobilekit.frontends.direct.decompose import _pieces_of
from mobilekit.frontends.direct.registry import Lowering, builtin_lowerings
from mobilekit.frontends.direct.suggestions import suggestion_for
from mobilekit.graph.schema import KIND_TO_CODE
from mobilekit.quantize.rules import RULES, OpRule
from tests.frontends.direct.cases import CASES, ELSEWHERE, NOT_IN_PROGRAMS, REFUSED

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "op-coverage.md"

# Pattern of an overload -> why it needs no lowering, or has none. The first that fits counts.
_REASONS = {
    r"_backward": "training only",
    r"\.out$": "writes into an argument: torch.export gives the form without it",
    r"aten\.(rand|randn|randperm|native_dropout)\b": "random numbers differ on every run: draw them outside",
    r"aten\.(full|arange|empty|empty_strided)\b": "computed while converting: a constant",
    r"aten\.sym_": "a number, which torch.export writes into the program where shapes are fixed",
    r"aten\.resize_\b": "changes the size of its argument in place",
    r"aten\._fft_": "complex numbers have no form in a mobilekit graph",
}
_SHARING = {"free": "own", "output_takes_input": "of its input", "inputs_take_output": "one for all"}


def page() -> str:
    """The whole page."""
    lowerings = builtin_lowerings()
    return "\n".join(
        (
            "<!-- Written by `python -m tools.op_coverage`; edit that. -->",
            "# Op coverage",
            "",
            f"{len(lowerings) - len(REFUSED)} ATen overloads have a lowering, {len(REFUSED)} a refusal with a reason.",
            "Composite ops need none: PyTorch's own decomposition takes them apart, and the pieces are lowered by the",
            "same table. An op that neither covers is an error that names your line, or gets",
            "[a lowering of your own](custom-ops.md).",
            "",
            *_lowered(lowerings),
            *_tested(),
            *_core(lowerings),
            *_builtins(),
        )
    )


def _lowered(lowerings: Mapping[str, Lowering]) -> Iterator[str]:
    """One row an op, one table a file of lowerings; each file has tests against PyTorch of the same name."""
    families: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, function in lowerings.items():
        op, _, overload = name.rpartition(".")
        families[function.__module__.rpartition(".")[2]][op].append(overload)
    yield "## ATen ops with a lowering"
    yield ""
    yield "Each family is a file of `mobilekit/frontends/direct/ops/`; its tests hold the bytes in LiteRT against"
    yield "PyTorch."
    yield ""
    yield "| family | tests | overloads | ops |"
    yield "|---|---|---:|---|"
    for family in sorted(families):
        ops = families[family]
        tests = f"tests/frontends/direct/test_{family}.py"
        shown = ", ".join(_op(op, overloads) for op, overloads in ops.items())
        count = sum(map(len, ops.values()))
        yield f"| {family} | {'yes' if (ROOT / tests).is_file() else 'with others'} | {count} | {shown} |"
    yield ""


def _tested() -> Iterator[str]:
    """What the one list of the tests says of each lowering, and the overloads whose lowering is a refusal."""
    yield "## How they are tested"
    yield ""
    yield "One list, `tests/frontends/direct/cases.py`, says what hypothesis draws for each overload: shapes, ranks,"
    yield "axes, dtypes, stored orders, memory layouts, options. It drives the comparison with PyTorch, a part of it"
    yield f"in int8, and this table. A lowering that is not on it fails a test. {len(CASES)} overloads are drawn,"
    yield f"{len(ELSEWHERE)} outside of ATen have tests of their own. The others:"
    yield ""
    yield "| overload | what becomes of it |"
    yield "|---|---|"
    for name, why in sorted(NOT_IN_PROGRAMS.items()):
        yield f"| `{name}` | reaches no lowering: {why} |"
    for name, why in sorted(REFUSED.items()):
        yield f"| `{name}` | refused: {why} |"
    yield ""


def _op(op: str, overloads: list[str]) -> str:
    """`relu` or `add` (Tensor, Scalar); the namespace where it is not aten."""
    name = op.removeprefix("aten.")
    return f"`{name}`" if overloads == ["default"] else f"`{name}` ({', '.join(overloads)})"


def core_heading() -> str:
    """The heading of the one part that depends on the installed PyTorch."""
    return f"## Core ATen of PyTorch {'.'.join(torch.__version__.split('.')[:2])}"


def _core(lowerings: Mapping[str, Lowering]) -> Iterator[str]:
    core = core_ops()
    missing = {name: op for name, op in core.items() if name not in lowerings}
    yield core_heading()
    yield ""
    yield f"{len(core) - len(missing)} of {len(core)} overloads that PyTorch calls core have a lowering. The others:"
    yield ""
    yield "| op | why not |"
    yield "|---|---|"
    for name, op in missing.items():
        yield f"| `{name}` | {reason(name, op)} |"
    yield ""


def core_ops() -> dict[str, torch._ops.OpOverload]:
    """PyTorch's core ATen overloads by name, sorted."""
    found = {}
    for qualified in torch._C._dispatch_get_all_op_names():
        namespace, _, name = qualified.partition("::")
        packet, _, overload = name.partition(".")
        if namespace != "aten" or not hasattr(torch.ops.aten, packet):
            continue
        op = getattr(getattr(torch.ops.aten, packet), overload or "default", None)
        if op is not None and torch.Tag.core in op.tags:
            found[str(op)] = op
    return dict(sorted(found.items()))


def reason(name: str, op: torch._ops.OpOverload) -> str:
    """Why an overload has no lowering."""
    for pattern, words in _REASONS.items():
        if re.search(pattern, name):
            return words
    if _pieces_of(op) is not None:
        return "in pieces, by PyTorch's own decomposition"
    return f"none yet; {suggestion_for(name)}"


def _builtins() -> Iterator[str]:
    targets = [name for name in NAMES if name != RUNTIME]
    written = written_kinds()
    releases = builtin_table(RUNTIME)["ops"]
    tables = {name: builtin_table(name)["ops"] for name in targets}
    yield "## TFLite builtins"
    yield ""
    yield "*Written*: mobilekit's lowerings, passes or quantizer put it into files. *Integer*: the types in which it"
    yield "can be quantized; *scale*: whose scale its outputs have (fixed: built into the kernel). *Since*: the first"
    yield "TFLite release with it. A tick of a target means *on some terms*, which"
    yield "[`mobilekit check`](cli.md#check) evaluates."
    yield ""
    yield f"| builtin | written | integer | scale | since | {' | '.join(targets)} |"
    yield f"|---|---|---|---|---|{'---|' * len(targets)}"
    kinds = sorted(kind for kind in KIND_TO_CODE if kind != "CUSTOM" and "PLACEHOLDER" not in kind)
    for kind in kinds:
        rule = RULES.get(kind)
        taken = [_tick(kind in table and table[kind].get("supported", True)) for table in tables.values()]
        cells = [
            f"`{kind}`",
            _tick(kind in written),
            "" if rule is None else ", ".join(sorted(rule.dtypes, key=lambda dtype: int(dtype[3:]))),
            "" if rule is None else _scale(rule),
            _since(releases.get(kind, {}).get("versions", {})),
        ]
        yield f"| {' | '.join((*cells, *taken))} |"
    yield ""


def _tick(wanted: bool) -> str:
    return "✓" if wanted else ""


def _scale(rule: OpRule) -> str:
    return "fixed" if rule.fixed else _SHARING[rule.sharing]


def _since(versions: Mapping[str, str]) -> str:
    return min(versions.values(), key=parse_release, default="")


def written_kinds() -> frozenset[str]:
    """Builtins that can come out: named in a lowering, or in an ``Op(...)`` of a pass or the quantizer.

    Read off the sources: lowerings name kinds in tables and calls, and what they only look for stands in comparisons.
    """
    package = ROOT / "mobilekit"
    found: set[str] = set()
    for path in (package / "frontends" / "direct").rglob("*.py"):
        found |= _strings(ast.parse(path.read_text(encoding="utf-8")))
    for folder in ("graph/passes", "quantize"):
        for path in (package / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Op":
                    found |= _strings(node.args[0])
    return frozenset(found & KIND_TO_CODE.keys())


def _strings(tree: ast.AST) -> set[str]:
    """Every string below ``tree`` that is not in a comparison."""
    if isinstance(tree, ast.Compare):
        return set()
    if isinstance(tree, ast.Constant):
        return {tree.value} if isinstance(tree.value, str) else set()
    return {text for child in ast.iter_child_nodes(tree) for text in _strings(child)}


def main(words: list[str]) -> int:
    """Write the page, or with ``--check`` say whether it is stale."""
    text = page()
    if words == ["--check"]:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
