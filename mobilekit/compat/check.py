"""Every op of a graph against every target: what is taken, what is refused and why, and what that means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilekit.compat import advice, cost
from mobilekit.compat.dtypes import check_types
from mobilekit.compat.models import checkable
from mobilekit.compat.partition import Piece, bytes_across, cut
from mobilekit.compat.rules import Refused, Unchecked, evaluate, merge_levels
from mobilekit.compat.site import Site, Surroundings
from mobilekit.compat.tables import RUNTIME, TENSORRT, Target, builtin_table, parse_release, resolve
from mobilekit.errors import UnsupportedOp
from mobilekit.graph.ir import Graph, Op
from mobilekit.graph.versions import op_version
from mobilekit.results.compat import CompatReport, Finding, TargetReport

if TYPE_CHECKING:
    from mobilekit.compat.models import Model

Taken = list[bool]


def check(
    model: Model,
    targets: str | Sequence[str] = "all",
    *,
    example_inputs: Sequence[Any] | None = None,
    quantize: str | None = None,
    name: str | None = None,
    unsupported: Sequence[UnsupportedOp] = (),
) -> CompatReport:
    """Check a model against ``targets``, before any conversion.

    ``model``: a Graph, the path or bytes of a .tflite file, an nn.Module (with ``example_inputs`` if they cannot be
    known), an ExportedProgram, or what the command line takes (``path.py:function``).
    ``quantize``: check the model as this recipe ("int8", "dynamic", ...) would quantize it; ranges are from noise.
    ``targets``: short names (see :data:`mobilekit.compat.tables.NAMES`), each with a level if wanted (``nnapi:29``),
    paths to tables of your own, or "all"; "tensorrt" alone for an .onnx file.
    ``unsupported``: further ops that have no lowering; like those found here they count as refused by every target.

    Raises :class:`InputError` for an unknown target, :class:`ModelLoadError` for a file that cannot be read and
    :class:`CaptureError` for a model that cannot be captured.
    """
    if isinstance(model, (str, Path)) and str(model).lower().endswith(".onnx") and targets in (TENSORRT, [TENSORRT]):
        from mobilekit.compat.onnx_models import check_onnx

        return check_onnx(model)
    asked = resolve(targets)
    found = checkable(model, example_inputs, quantize)
    graph, lost = found.graph, (*found.unsupported, *unsupported)
    return CompatReport(
        model=name or found.name,
        targets=tuple(_check_target(graph, target, lost) for target in asked),
        min_runtime_version=min_runtime_version(graph),
        op_counts=graph.op_counts(),
        macs=sum(map(cost.macs, graph.ops)),
        peak_memory_bytes=cost.peak_memory(graph),
    )


def min_runtime_version(graph: Graph) -> str:
    """The lowest TFLite release that has every builtin of the graph at its version; "unknown" if none is known to.

    Custom ops are the application's to bring and ask for no release.
    """
    releases = [
        _release_of(op.kind, op_version(op))
        for part in (graph, *graph.subgraphs)
        for op in part.ops
        if op.kind != "CUSTOM"
    ]
    if any(release is None for release in releases):
        return "unknown"
    return max((release for release in releases if release is not None), key=parse_release, default="1.5.0")


def _release_of(kind: str, version: int) -> str | None:
    """First release with this version of an op, or with a later one if the table skips it; None if there is none."""
    entry = builtin_table(RUNTIME)["ops"].get(kind)
    versions: Mapping[str, str] = {} if entry is None else entry["versions"]
    known = sorted(int(number) for number in versions if int(number) >= version)
    return versions[str(known[0])] if known else None


def _check_target(graph: Graph, target: Target, unsupported: Sequence[UnsupportedOp]) -> TargetReport:
    findings: list[Finding] = []
    taken: Taken = []
    around = Surroundings.of(graph)
    for index, op in enumerate(graph.ops):
        reasons, unchecked = _judge(op, target, around)
        taken.append(not reasons)
        if reasons or unchecked:
            findings.append(_finding(index, op, reasons, unchecked, target))
    findings += [_without_lowering(op) for op in unsupported]
    return _report(graph, target, taken, findings, len(unsupported), tuple(_inside_control_flow(graph, target)))


def _inside_control_flow(graph: Graph, target: Target) -> Iterator[str]:
    """What the target refuses in the bodies of IF and WHILE: the figures are those of the main graph alone."""
    if not graph.subgraphs:
        return
    refused: dict[str, list[str]] = {}
    for body in graph.subgraphs:
        around = Surroundings.of(body)
        for op in body.ops:
            reasons, _ = _judge(op, target, around)
            if reasons:
                refused.setdefault(f"{_shown_kind(op)}: {reasons[0]}", []).append(op.name)
    total = sum(len(body.ops) for body in graph.subgraphs)
    yield f"{total} ops stand in the bodies of IF and WHILE; the figures count the main graph only" + (
        "" if refused else ", and none of them is refused"
    )
    for reason, names in refused.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"in a body, {reason} ({names[0]}{more})"


def _finding(index: int, op: Op, reasons: list[str], unchecked: list[str], target: Target) -> Finding:
    return Finding(
        op_index=index,
        kind=_shown_kind(op),
        name=op.name,
        supported=not reasons,
        reasons=tuple(reasons),
        unchecked=tuple(unchecked),
        source=op.source,
        suggestion=_suggestion(op, reasons, target) if reasons else None,
        macs=cost.macs(op),
    )


def _suggestion(op: Op, reasons: list[str], target: Target) -> str | None:
    own: str | None = target.ops.get(op.kind, {}).get("suggestion")
    return own or advice.suggestion(op.kind, reasons)


def _shown_kind(op: Op) -> str:
    return f"CUSTOM {op.custom_code}" if op.kind == "CUSTOM" else op.kind


def _without_lowering(op: UnsupportedOp) -> Finding:
    reasons = (f"cannot be converted: {op.reason}",)
    return Finding(-1, op.op, op.node, False, reasons, (), op.source, op.suggestion)


def _judge(op: Op, target: Target, around: Surroundings) -> tuple[list[str], list[str]]:
    """(why it is refused, which rules could not be evaluated) for one op."""
    if target.name == RUNTIME:
        return _judge_runtime(op, target)
    entry = target.ops.get(op.kind)
    if entry is None:
        return [f"{_shown_kind(op)} is not in its list of ops"], []
    if entry.get("supported") is False:
        return [_refusal_of_entry(op, entry)], []
    table = target.table
    site = Site(op, around, target.level, table.get("flags"), bool(table.get("folds_constants")))
    type_problem = check_types(table, entry, site)
    reasons = [] if type_problem is None else [type_problem]
    unchecked: list[str] = []
    for constraint in merge_levels((*entry["constraints"], *table.get("every_op", ())), target.level):
        verdict = evaluate(constraint, site)
        if isinstance(verdict, Refused):
            reasons.append(verdict.reason)
        elif isinstance(verdict, Unchecked):
            unchecked.append(verdict.rule)
    return list(dict.fromkeys(reasons)), list(dict.fromkeys(unchecked))


def _refusal_of_entry(op: Op, entry: Mapping[str, Any]) -> str:
    notes = "; ".join(entry.get("notes", []))
    return f"{_shown_kind(op)} is always refused" + (f": {notes}" if notes else "")


def _judge_runtime(op: Op, target: Target) -> tuple[list[str], list[str]]:
    version = op_version(op)
    if op.kind == "CUSTOM":
        return [f"custom op '{op.custom_code}' is no builtin; the application must register it"], []
    entry = target.ops.get(op.kind)
    if entry is not None and entry.get("runtime_support") is False:
        return [f"{op.kind} has no kernel in the interpreter"], []
    release = _release_of(op.kind, version)
    if release is None:
        return [], [f"which release runs {op.kind} version {version} (the table has none)"]
    if target.release is not None and parse_release(release) > parse_release(target.release):
        return [f"version {version} needs TFLite {release}, {target.release} was asked for"], []
    return [], []


def _report(
    graph: Graph, target: Target, taken: Taken, findings: list[Finding], missing: int, bodies: tuple[str, ...]
) -> TargetReport:
    weights = [cost.macs(op) for op in graph.ops]
    pieces = cut(graph, taken)
    limits = target.table.get("partitions", {})
    runs = _delegated(pieces, limits)
    in_runs = {index for piece in runs for index in piece.ops}
    final = cut(graph, [index in in_runs for index in range(len(graph.ops))])
    refused = [finding for finding in findings if not finding.supported]
    costliest = max(refused, key=lambda finding: finding.macs, default=None)
    sizes = {tensor: cost.tensor_bytes(tensor) for tensor in graph.tensors()}
    return TargetReport(
        target=target.name,
        title=target.title,
        table_version=target.table_version,
        ops_total=len(graph.ops) + missing,
        ops_supported=sum(taken),
        ops_unchecked=sum(1 for finding in findings if finding.supported and finding.unchecked),
        mac_share=_share(weights, range(len(taken)), taken),
        partitions=tuple(len(piece.ops) for piece in pieces if piece.taken),
        findings=tuple(findings),
        asked=target.shown,
        level=_level_words(target),
        delegated=tuple(len(piece.ops) for piece in runs),
        delegated_mac_share=_share(weights, range(len(taken)), [i in in_runs for i in range(len(taken))]),
        pieces=len(final),
        bytes_across=0 if target.name == RUNTIME else bytes_across(graph, final, sizes),
        costliest=costliest.name if costliest is not None and costliest.macs > 0 else None,
        joins=advice.joins(graph, taken, findings),
        notes=(*target.table.get("notes", ()), *bodies),
    )


def _level_words(target: Target) -> str:
    if target.release is not None:
        return f"TFLite {target.release}"
    return f"{target.level_name} {target.level}" if target.level is not None else ""


def _share(weights: Sequence[int], indices: Sequence[int], counted: Sequence[bool]) -> float | None:
    total = sum(weights)
    return sum(weights[index] for index in indices if counted[index]) / total if total else None


def _delegated(pieces: Sequence[Piece], limits: Mapping[str, Any]) -> list[Piece]:
    """The pieces that the target's own limits leave to it: the largest first, none below its smallest size."""
    own = [piece for piece in pieces if piece.taken and len(piece.ops) >= limits.get("min_ops", 1)]
    if limits.get("first_only"):
        return own[:1]
    most = limits.get("max")
    if most is None or len(own) <= most:
        return own
    kept = sorted(own, key=lambda piece: -len(piece.ops))[:most]
    return [piece for piece in own if piece in kept]
