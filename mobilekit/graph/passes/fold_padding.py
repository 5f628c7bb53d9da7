"""Let a convolution do the padding where TFLite's SAME puts the same zeros in the same places.

Given     y = PAD(x, [[0,0],[1,1],[1,1],[0,0]]);  z = CONV_2D(y, w, b) {padding=VALID, stride 1, kernel 3}
Result    z = CONV_2D(x, w, b) {padding=SAME}

Graphs that TensorFlow's converter made hold such pairs.
"""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.padding import same_padding


def fold_padding(graph: Graph) -> int:
    """Fold where the padded image has one reader, a convolution with padding VALID."""
    producers, consumers = graph.producers(), graph.consumers()
    folded = []
    for op in graph.ops:
        if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or op.options.get("padding") != "VALID":
            continue
        image, weights = op.inputs[0], op.inputs[1]
        pad = producers.get(image) if image is not None else None
        if pad is None or pad.kind != "PAD" or image is None or weights is None or image in graph.outputs:
            continue
        source, amounts = pad.inputs[0], pad.inputs[1]
        if len(consumers[image]) != 1 or source is None or amounts is None or amounts.data is None:
            continue
        if _is_resizable(source) and (op.options["stride_h"], op.options["stride_w"]) != (1, 1):
            continue  # at stride one SAME's zeros do not depend on the image's size, else they do
        if np.array_equal(amounts.data, [(0, 0), *_same(op, source, weights), (0, 0)]):
            op.inputs[0] = source
            op.options["padding"] = "SAME"
            folded.append(pad)
    graph.remove_ops(folded)
    return len(folded)


def _is_resizable(image: Tensor) -> bool:
    return image.shape_signature is not None and -1 in image.shape_signature[1:3]


def _same(op: Op, source: Tensor, weights: Tensor) -> list[tuple[int, int]]:
    """The zeros that SAME would mean for this convolution, along height and width."""
    return [
        same_padding(
            source.shape[axis],
            weights.shape[axis],
            int(op.options[f"stride_{letter}"]),
            int(op.options.get(f"dilation_{letter}_factor", 1)),
        )
        for axis, letter in ((1, "h"), (2, "w"))
    ]
