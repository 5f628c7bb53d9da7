"""What to do about a refused op: what to write instead, and which change would join the most pieces."""

from __future__ import annotations

from collections.abc import Sequence

from mobilekit.compat.partition import cut
from mobilekit.graph.ir import Graph
from mobilekit.results.compat import Finding, Join, without_numbers

# (kind of op, a word of the reason, what to write instead), the first that fits; "" fits every reason.
# Each is a rewrite that keeps the values (or says that it does not) and that the refusing targets take.
SUGGESTIONS: tuple[tuple[str, str, str], ...] = (
    ("CONCATENATION", "number of inputs", "concatenate in groups of at most 5, then the groups; same values"),
    ("SPLIT", "number of outputs", "split in two steps, or take slices; same values"),
    ("HARD_SWISH", "int8", "use nn.ReLU6 and train again, or keep this op in float (values change with ReLU6)"),
    ("GELU", "int8", "keep this op in float, or use nn.ReLU and train again (values change)"),
    ("GELU", "", "write x * torch.sigmoid(1.702 * x); off by at most 0.021"),
    ("SOFTMAX", "int8", "take the softmax out of the network and compute it after it, on the few scores"),
    ("AVERAGE_POOL_2D", "int8", "pool with x.mean((2, 3)) where the window is the whole image; same values"),
    ("AVERAGE_POOL_2D", "stride", "make the stride no larger than the window"),
    ("MEAN", "keep_dims", "reduce with keepdim=True and reshape after it; same values"),
    ("RESIZE_NEAREST_NEIGHBOR", "", "for a whole factor write it as repeat_interleave or a reshape and expand"),
    ("RESHAPE", "rank", "flatten in fewer dimensions: merge neighbours before this op"),
    ("TRANSPOSE", "rank", "merge neighbouring dimensions that keep their order, then permute at most 4 of them"),
    ("PACK", "", "use torch.cat of unsqueezed inputs in place of torch.stack"),
    ("UNPACK", "", "index or slice in place of unbind"),
    ("GATHER", "", "slice where the indices are constant and contiguous"),
    ("CAST", "", "keep one dtype through the network"),
    ("POW", "", "write a whole exponent as a product, 0.5 as torch.sqrt"),
    ("SQUEEZE", "", "use reshape in place of squeeze; same values"),
    ("EXPAND_DIMS", "", "use reshape in place of unsqueeze; same values"),
    ("L2_NORMALIZATION", "", "write x * torch.rsqrt((x * x).sum(-1, keepdim=True) + eps)"),
    ("LOG_SOFTMAX", "", "take it out of the network, or take the softmax and the logarithm of it"),
    ("ARG_MAX", "", "take the argmax after the network; mobilekit's postprocessing has it"),
    ("ARG_MIN", "", "take the argmin after the network"),
    ("TOPK_V2", "", "take the top k after the network; mobilekit's postprocessing has it"),
    ("CONV_2D", "dilation", "use a larger stride or kernel without dilation and train again (values change)"),
    ("FULLY_CONNECTED", "per-tensor only", "quantize the weights of this layer per tensor"),
    ("CUSTOM", "", "register the op with the interpreter, or write it with builtin ops"),
)  # fmt: skip

# The same for refusals of any op, by the reason alone.
GENERAL: tuple[tuple[str, str], ...] = (
    ("the input is int8, taken are float32", "ship a float32 or float16 file for this target"),
    ("the input is float32, taken are int8", "quantize to int8 for this target"),
    ("is float32, taken are int8, uint8", "quantize to int8 for this target"),
    ("op version", "write the file for an older runtime, or leave out what the newer op version is for"),
    ("fused activation", "apply this activation as an op of its own"),
    ("must be a constant", "make it a constant of the module (a buffer), not something computed in forward"),
    ("needs TFLite", "ship a newer runtime with the application"),
)


def suggestion(kind: str, reasons: Sequence[str]) -> str | None:
    """What to write instead of an op of this kind, refused for these reasons; None if nothing is known."""
    for op, word, text in SUGGESTIONS:
        if kind.split(" ")[0] == op and any(word in reason for reason in reasons):
            return text
    for word, text in GENERAL:
        if any(word in reason for reason in reasons):
            return text
    return None


def joins(graph: Graph, taken: Sequence[bool], findings: Sequence[Finding], most: int = 3) -> tuple[Join, ...]:
    """The changes that would leave the fewest pieces, best first; one change is one kind of op with one reason.

    Each is weighed alone: all ops of the group counted as taken, all others as they are.
    """
    before = len(cut(graph, taken))
    groups: dict[tuple[str, str], list[Finding]] = {}  # Reasons that differ in their numbers only are one.
    for finding in findings:
        if not finding.supported and finding.op_index >= 0:
            groups.setdefault((finding.kind, without_numbers(finding.reasons[0])), []).append(finding)
    if before < 2 or not any(taken):
        return ()
    found = []
    for members in groups.values():
        changed = list(taken)
        for member in members:
            changed[member.op_index] = True
        after = len(cut(graph, changed))
        if after < before:
            found.append(
                Join(
                    ops=tuple(member.op_index for member in members),
                    names=tuple(member.name for member in members),
                    kind=members[0].kind,
                    reason=members[0].reasons[0],
                    pieces_before=before,
                    pieces_after=after,
                    suggestion=members[0].suggestion,
                )
            )
    return tuple(sorted(found, key=lambda join: (join.pieces_after, len(join.ops)))[:most])
