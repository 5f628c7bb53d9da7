"""What to write instead of an op that has no lowering. A table: ATen name -> advice."""

from __future__ import annotations

_ADVICE = {
    "cond": "compute both branches and choose with torch.where",
    "nonzero": "its result's shape depends on the data; keep a fixed size with torch.topk or a mask",
    "unique": "its result's shape depends on the data; do it after the model",
    "masked_select": "its result's shape depends on the data; multiply by the mask or use torch.where",
    "nms": "non-maximum suppression belongs after the model: mobilekit.kernels has it",
}


def suggestion_for(op: str) -> str | None:
    """Advice for an ATen overload such as ``aten.nonzero.default``, or how to bring a lowering of one's own."""
    name = op.split(".")[1].strip("_") if "." in op else op
    if not op.startswith(("aten.", "prims.")):
        return f'say it in TFLite ops: @mobilekit.lowering("{op.split(".")[0]}::{name}"), see docs/custom-ops.md'
    return _ADVICE.get(name, 'compute it before or after the model, or try backend="onnx2tf"')
