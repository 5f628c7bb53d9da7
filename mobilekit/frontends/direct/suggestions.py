"""What to write instead of an op that has no lowering. A table: ATen name -> advice, in code where there is code."""

from __future__ import annotations

_PYTHON_VALUE = "keep it a tensor: torch.where(x.sum() > 0, a, b) instead of if x.sum().item() > 0"
_NO_FORM = "look it up in a table: table[torch.bucketize(x, edges)], with table = torch.special.{0}(middles) made once"
_IN_APP = "it depends on the data how long it is; "

_ADVICE = {
    "cond": "compute both branches and choose with torch.where(condition, a, b)",
    "item": _PYTHON_VALUE,
    "_local_scalar_dense": _PYTHON_VALUE,
    "equal": "keep it a tensor: (x == y).all() instead of torch.equal(x, y)",
    "nonzero": _IN_APP + "the k best instead: torch.topk(mask.float(), k).indices, or the mask itself",
    "where": _IN_APP + "torch.where(mask, x, other) with three arguments keeps the shape",
    "masked_select": _IN_APP + "torch.where(mask, x, 0), which keeps the shape",
    "_unique2": _IN_APP + "sort in the model, x.sort().values, and drop repeated values in the app",
    "unique_dim": _IN_APP + "do it in the app",
    "unique_consecutive": _IN_APP
    + "mark what is new: torch.cat([torch.ones_like(x[:1], dtype=torch.bool), x[1:] != x[:-1]])",
    "bincount": _IN_APP + "torch.nn.functional.one_hot(x, num_classes=n).sum(0)",
    "bitwise_left_shift": "shift by a constant, or multiply: x * table[count], with table = 2 ** torch.arange(31)",
    "bitwise_right_shift": "shift by a constant, or divide: x // table[count], with table = 2 ** torch.arange(31)",
    "__lshift__": "shift by a constant, or multiply: x * table[count], with table = 2 ** torch.arange(31)",
    "__rshift__": "shift by a constant, or divide: x // table[count], with table = 2 ** torch.arange(31)",
    "embedding_renorm": "once, before converting: layer.weight.data.renorm_(2, 0, max_norm); layer.max_norm = None",
    "nms": "return boxes, scores, and run mobilekit.kernels.nms(boxes, scores, iou_threshold) on them",
    "lgamma": _NO_FORM.format("gammaln"),
    "digamma": _NO_FORM.format("digamma"),
    "erfinv": _NO_FORM.format("erfinv"),
    "i0": _NO_FORM.format("i0"),
    "special_i1": _NO_FORM.format("i1"),
    "special_ndtri": _NO_FORM.format("ndtri"),
    "igamma": _NO_FORM.format("gammainc").replace("(middles)", "(a, middles)") + " for one a",
    "polygamma": _NO_FORM.format("polygamma").replace("(middles)", "(n, middles)"),
}


def suggestion_for(op: str) -> str | None:
    """Advice for an ATen overload such as ``aten.nonzero.default``, or how to bring a lowering of one's own."""
    name = op.split(".")[1] if "." in op else op
    if not op.startswith(("aten.", "prims.")):
        plain = name.strip("_")
        return f'say it in TFLite ops: @mobilekit.lowering("{op.split(".")[0]}::{plain}"), see docs/custom-ops.md'
    advice = _ADVICE.get(name) or _ADVICE.get(name.removesuffix("_"))
    return advice or 'compute it before or after the model, or try backend="onnx2tf"'
