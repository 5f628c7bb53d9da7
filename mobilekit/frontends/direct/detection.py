"""torchvision's ``batched_nms`` as one op of the captured graph.

Captured as it is written, it would be arithmetic that moves the boxes of each class apart (which int8 could not hold),
or, above 1000 boxes, a loop over the classes that occur, which torch.export cannot follow.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

import torch

BATCHED_NMS = "mobilekit.batched_nms.default"
NMS = "torchvision.nms.default"

_LOCK = threading.RLock()


@contextlib.contextmanager
def whole_batched_nms() -> Iterator[None]:
    """Within it, torchvision's ``batched_nms`` is one op, if torchvision is loaded at all.

    The code of the function is exchanged, and not the name in its module: models import it by name.
    """
    boxes = sys.modules.get("torchvision.ops.boxes")
    if boxes is None:
        yield
        return
    function = boxes.batched_nms
    _define()
    with _LOCK:
        code = function.__code__
        function.__code__ = _stand_in.__code__
        try:
            yield
        finally:
            function.__code__ = code


def _stand_in(boxes, scores, idxs, iou_threshold):  # type: ignore[no-untyped-def]
    return torch.ops.mobilekit.batched_nms(boxes, scores, idxs, iou_threshold)


def _define() -> None:
    if hasattr(torch.ops.mobilekit, "batched_nms"):
        return

    @torch.library.custom_op("mobilekit::batched_nms", mutates_args=())
    def batched_nms(
        boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float
    ) -> torch.Tensor:
        from torchvision.ops.boxes import _batched_nms_vanilla

        kept: torch.Tensor = _batched_nms_vanilla(boxes, scores, idxs, iou_threshold)
        return kept.clone()

    @batched_nms.register_fake
    def _(boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        size = torch.library.get_ctx().new_dynamic_size()
        return boxes.new_empty([size], dtype=torch.int64)
