"""The kernels in NumPy and float64: the truth that the C++ is tested against, and what runs where it is missing.

Same definitions as cpp/include/mobilekit/*.h, but with exact weights and no rounding before the last step. Written
to be read beside those headers; speed is no concern.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.kernels.image import PIXEL_BYTES, Image
from mobilekit.kernels.request import SUPPORT, PreprocessRequest

Array = npt.NDArray[np.float64]

# kr, kb of ITU-R BT.601 and BT.709: the weights of red and blue in luma.
_LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


def color_matrix(color: str) -> tuple[Array, Array]:
    """(matrix 3x3, offset 3): rgb = matrix @ (yuv - offset), levels 0 to 255."""
    kr, kb = _LUMA_WEIGHTS[color.split("-")[0]]
    kg = 1.0 - kr - kb
    limited = color.endswith("limited")
    luma, chroma = (255 / 219, 255 / 224) if limited else (1.0, 1.0)
    cr, cb = 2 * (1 - kr) * chroma, 2 * (1 - kb) * chroma
    matrix = np.array([[luma, 0.0, cr], [luma, -cb * kb / kg, -cr * kr / kg], [luma, cb, 0.0]])
    return matrix, np.array([16.0 if limited else 0.0, 128.0, 128.0])


def components(image: Image) -> Array:
    """The frame as (height, width, 1 or 3) levels: Y, U, V with chroma repeated, or R, G, B, or gray."""
    if image.format == "yuv420":
        y = _plane(image, 0, image.height, image.width, 1)[:, :, 0]
        rows, columns = np.arange(image.height) // 2, np.arange(image.width) // 2
        chroma = [
            _plane(image, p, image.chroma_height, image.chroma_width, image.chroma_pixel_stride)[:, :, 0]
            for p in (1, 2)
        ]
        return np.stack([y, *(plane[rows][:, columns] for plane in chroma)], axis=2).astype(np.float64)
    depth = PIXEL_BYTES[image.format]
    pixels = _plane(image, 0, image.height, image.width, depth).astype(np.float64)
    if image.format == "gray":
        return pixels
    return pixels[:, :, 2::-1] if image.format.startswith("bgr") else pixels[:, :, :3]


def _plane(image: Image, p: int, rows: int, columns: int, step: int) -> npt.NDArray[np.uint8]:
    """Plane ``p`` as (rows, columns, step) bytes; of a pixel's `step` bytes the last row may lack all but the first."""
    stride, flat = image.row_strides[p], image.planes[p]
    y, x = np.arange(rows)[:, None] * stride, np.arange(columns)[None, :] * step
    depth = 1 if image.format == "yuv420" else step
    return np.stack([flat[y + x + c] for c in range(depth)], axis=2)


def axis_taps(start: float, length: float, size: int, count: int, filter: str) -> tuple[Any, Any]:
    """Source index and weight of the next one, for `count` samples of an axis cropped to [start, start + length)."""
    low, high = int(np.floor(start)), min(size, int(np.ceil(start + length))) - 1
    i = np.arange(count, dtype=np.float64)
    if filter == "nearest":
        return np.clip(np.floor(start + (i + 0.5) * length / count), low, high).astype(np.int64), np.zeros(count)
    if filter == "bilinear-align-corners":
        at = start + i * (length - 1) / (count - 1) if count > 1 else np.full(1, start)
    else:
        at = start + (i + 0.5) * length / count - 0.5
    at = np.clip(at, low, high)
    index = np.floor(at).astype(np.int64)
    return index, at - index


def axis_weights(start: float, length: float, size: int, count: int, filter: str) -> Array:
    """Matrix (count, size) of a filter that averages; every row sums to 1."""
    low, high = int(np.floor(start)), min(size, int(np.ceil(start + length))) - 1
    step = max(length / count, 1.0)
    center = (start + (np.arange(count) + 0.5) * length / count)[:, None]
    x = np.arange(size, dtype=np.float64)[None, :]
    distance = np.abs(x + 0.5 - center) / step
    if filter == "area":
        weights = np.minimum(x + 1, center + step / 2) - np.maximum(x, center - step / 2)
    elif filter == "antialias":
        weights = 1 - distance
    else:
        near = (1.5 * distance - 2.5) * distance**2 + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    if filter != "bicubic":
        weights = np.maximum(weights, 0.0)
    weights[:, :low] = 0
    weights[:, high + 1 :] = 0
    normalized: Array = weights / weights.sum(axis=1, keepdims=True)
    return normalized


def resample(pixels: Array, request: PreprocessRequest) -> Array:
    """Crop, resize, turn and mirror (height, width, channels) levels into the size of the picture."""
    x, y, width, height = request.crop
    turned = request.rotation in (90, 270)
    columns, rows = request.rect[2:] if not turned else request.rect[:1:-1]
    if request.filter in SUPPORT:
        # Clamped after the rows, as PIL does: a cubic may overshoot.
        by_row = axis_weights(y, height, pixels.shape[0], rows, request.filter)
        pixels = np.clip(np.tensordot(by_row, pixels, axes=(1, 0)), 0, 255)
        by_column = axis_weights(x, width, pixels.shape[1], columns, request.filter)
        pixels = np.clip(np.tensordot(by_column, pixels, axes=(1, 1)), 0, 255).transpose(1, 0, 2)
    else:
        index, weight = axis_taps(y, height, pixels.shape[0], rows, request.filter)
        after = np.minimum(index + 1, pixels.shape[0] - 1)
        pixels = pixels[index] * (1 - weight)[:, None, None] + pixels[after] * weight[:, None, None]
        index, weight = axis_taps(x, width, pixels.shape[1], columns, request.filter)
        after = np.minimum(index + 1, pixels.shape[1] - 1)
        pixels = pixels[:, index] * (1 - weight)[None, :, None] + pixels[:, after] * weight[None, :, None]
    turned_pixels: Array = np.rot90(pixels, k=-request.rotation // 90)
    if request.mirror:
        turned_pixels = turned_pixels[:, ::-1]
    return turned_pixels


def to_channels(pixels: Array, request: PreprocessRequest) -> Array:
    """Components of the frame -> channels of the output, levels clamped to 0 .. 255."""
    if request.image.format == "yuv420":
        matrix, offset = color_matrix(request.color)
        if request.channels == "gray":
            gray: Array = np.clip((pixels[:, :, :1] - offset[0]) * matrix[0, 0], 0, 255)
            return gray
        pixels = np.clip((pixels - offset) @ matrix.T, 0, 255)
    if request.channels == "gray":
        return pixels if pixels.shape[2] == 1 else pixels @ np.array([[0.299], [0.587], [0.114]])
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    return pixels[:, :, ::-1] if request.channels == "bgr" else pixels


def levels(request: PreprocessRequest, *, color_first: bool = False) -> Array:
    """The picture as (height, width, channels) levels in float64, without padding and normalisation.

    ``color_first``: convert every pixel of the frame and clamp it before resampling, as a chain of library calls
    does. The kernel resamples first, which is the same where no colour leaves 0 .. 255 and differs by a few levels
    at saturated edges.
    """
    pixels = components(request.image)
    if color_first:
        return resample(to_channels(pixels, request), request)
    return to_channels(resample(pixels, request), request)


def preprocess(request: PreprocessRequest, out: npt.NDArray[Any]) -> None:
    """Fills ``out`` (shape ``request.shape``) with the result."""
    height, width = request.out_size
    picture = levels(request)
    canvas = np.empty((height, width, picture.shape[2]))
    canvas[:] = np.asarray(request.pad_level)
    x, y, w, h = request.rect
    canvas[y : y + h, x : x + w] = picture
    values = canvas * np.asarray(request.multiply) + np.asarray(request.add)
    if request.layout == "nchw":
        values = values.transpose(2, 0, 1)
    if out.dtype.kind in "iu":
        limits = np.iinfo(out.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    out.reshape(values.shape)[...] = values.astype(out.dtype)


def top_k(scores: npt.NDArray[Any], k: int) -> npt.NDArray[np.int32]:
    """Indices of the k largest, largest first; lower index first among equals; NaN last."""
    values = scores.astype(np.float64)
    missing = np.isnan(values)
    order = np.lexsort((np.arange(values.size), -np.where(missing, 0.0, values), missing))
    return order[:k].astype(np.int32)


def softmax(scores: npt.NDArray[Any], scale: float = 1.0) -> Array:
    """exp(scale * (scores - max)) / sum in float64."""
    values = scores.astype(np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, as defined
        largest = np.max(values, where=~np.isnan(values), initial=-np.inf)
        exponentials = np.exp(scale * (values - largest))
        result: Array = exponentials / exponentials.sum()
    return result


def nms(
    boxes: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    iou_threshold: float,
    classes: npt.NDArray[np.int32] | None,
    max_detections: int,
) -> npt.NDArray[np.int32]:
    """Greedy suppression by torchvision's rules, in its float32 arithmetic: ties at the threshold belong to them."""
    order = top_k(scores, len(scores))
    kept: list[int] = []
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        for i in order:
            if len(kept) == max_detections or np.isnan(scores[i]):
                break
            others = boxes[kept]
            sides = np.minimum(others[:, 2:], boxes[i, 2:]) - np.maximum(others[:, :2], boxes[i, :2])
            inter = np.where((sides > 0).all(axis=1), sides[:, 0] * sides[:, 1], np.float32(0))
            iou = inter / (area[i] + area[kept] - inter)
            same = np.ones(len(kept), bool) if classes is None else classes[kept] == classes[i]
            if not (same & (inter > 0) & (iou.astype(np.float64) > iou_threshold)).any():
                kept.append(int(i))
    return np.array(kept, np.int32)


def yolo(
    table: npt.NDArray[Any],
    confidence: float,
    iou_threshold: float,
    objectness: bool,
    box_format: str,
    class_agnostic: bool,
    max_detections: int,
    scale: float,
    zero_point: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(boxes, scores, classes, anchors) of a table of (anchors, channels), in float32 as the kernel."""
    if table.dtype == np.int8:
        table = np.float32(scale) * (table.astype(np.float32) - np.float32(zero_point))
    class_scores = table[:, 5 if objectness else 4 :]
    numbers = np.where(np.isnan(class_scores), -np.inf, class_scores)
    classes = numbers.argmax(axis=1).astype(np.int32)
    scores = numbers.max(axis=1) * (table[:, 4] if objectness else np.float32(1))
    anchors = np.flatnonzero(scores > np.float32(confidence)).astype(np.int32)
    boxes = np.ascontiguousarray(table[anchors, :4])
    if box_format == "cxcywh":
        half = boxes[:, 2:] * np.float32(0.5)
        boxes = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    groups = None if class_agnostic else classes[anchors]
    kept = nms(boxes, scores[anchors], iou_threshold, groups, max_detections)
    return boxes[kept], scores[anchors][kept], classes[anchors][kept], anchors[kept]


def boxes_to_frame(boxes: npt.NDArray[np.float32], request: PreprocessRequest) -> npt.NDArray[np.float32]:
    """Corners in the tensor -> corners in the frame, by undoing letterbox, mirror, rotation and crop."""
    x, y, width, height = request.rect
    corners = (boxes.reshape(-1, 2).astype(np.float64) - (x, y)) / (width, height)
    u, v = corners[:, 0], corners[:, 1]
    if request.mirror:
        u = 1 - u
    u, v = {0: (u, v), 90: (v, 1 - u), 180: (1 - u, 1 - v), 270: (1 - v, u)}[request.rotation]
    left, top, crop_width, crop_height = request.crop
    corners = np.stack([left + u * crop_width, top + v * crop_height], axis=1).reshape(-1, 2, 2)
    ordered = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return ordered.astype(np.float32)


def best_class(scores: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Lowest index of the largest number along the last axis; NaN is skipped, -1 where there is nothing else."""
    missing = np.isnan(scores)
    numbers = np.where(missing, -np.inf, scores)
    # A -inf that is a number comes before a NaN that stands in for it.
    hit = (numbers == numbers.max(axis=-1, keepdims=True)) & ~missing
    return np.where(hit.any(axis=-1), hit.argmax(axis=-1), -1).astype(np.int32)


def ctc_greedy(scores: npt.NDArray[Any], blank: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(classes, steps that first showed them) of (steps, classes)."""
    best = best_class(scores)
    best = np.where(best < 0, blank, best).astype(np.int32)
    before = np.concatenate([[blank], best[:-1]])
    steps = np.flatnonzero((best != blank) & (best != before)).astype(np.int32)
    return best[steps], steps


def ctc_beam(
    probabilities: npt.NDArray[np.float32], blank: int, beam_width: int, results: int
) -> list[tuple[npt.NDArray[np.int32], float]]:
    """Prefix beam search over tuples of classes, in float64; the order of equals is the kernel's."""
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    rows = np.where(probabilities > 0, probabilities, np.float32(0)).astype(np.float64)
    exponent = 0
    for row in rows:
        best = [int(c) for c in top_k(row, min(beam_width + 1, len(row))) if c != blank][:beam_width]

        def extended(prefix: tuple[int, ...], c: int, beams: Any = beams, row: Any = row) -> float:
            in_blank, in_symbol = beams[prefix]
            return float((in_blank if prefix[-1:] == (c,) else in_blank + in_symbol) * row[c])

        offers: list[tuple[tuple[int, ...], float, float]] = []
        for prefix, (in_blank, in_symbol) in beams.items():
            symbol = in_symbol * row[prefix[-1]] if prefix else 0.0
            if prefix and prefix[:-1] in beams:
                symbol += extended(prefix[:-1], prefix[-1])
            offers.append((prefix, (in_blank + in_symbol) * row[blank], symbol))
        offers += [((*p, c), 0.0, extended(p, c)) for p in beams for c in best if (*p, c) not in beams]
        offers = [offer for offer in offers if offer[1] + offer[2] > 0]
        offers.sort(key=lambda offer: -(offer[1] + offer[2]))
        if not offers:
            return []
        scale = math.frexp(offers[0][1] + offers[0][2])[1]
        beams = {p: (math.ldexp(b, -scale), math.ldexp(s, -scale)) for p, b, s in offers[:beam_width]}
        exponent += scale
    found = [(np.array(p, np.int32), math.ldexp(b + s, exponent)) for p, (b, s) in beams.items()]
    return found[:results]


def segment(scores: npt.NDArray[Any], rect: tuple[int, int, int, int], out_size: tuple[int, int]) -> Array:
    """Mask uint8 of (height, width, classes), by the rule of cpp/include/mobilekit/segment.h in its float32."""
    x, y, width, height = rect
    part = scores[y : y + height, x : x + width].astype(np.float32)
    classes = np.maximum(best_class(part), 0)
    top, bottom, down = _neighbours(height, out_size[0])
    left, right, across = _neighbours(width, out_size[1])
    mask = classes[np.ix_(top, left)]
    agree = np.ones(out_size, bool)
    for rows, columns in ((top, right), (bottom, left), (bottom, right)):
        agree &= classes[np.ix_(rows, columns)] == mask
    at_y, at_x = np.nonzero(~agree)
    wy, wx = down[at_y, None], across[at_x, None]
    with np.errstate(invalid="ignore", over="ignore"):
        sides = [
            part[top[at_y], columns[at_x]] * (1 - wy) + part[bottom[at_y], columns[at_x]] * wy
            for columns in (left, right)
        ]
        ends = [np.where(np.isnan(side), -np.inf, side).astype(np.float32) for side in sides]
        blended = ends[0] * (1 - wx) + ends[1] * wx
    if len(at_y):
        best = [end.argmax(axis=1)[:, None] for end in ends]
        own = (np.arange(scores.shape[2]) == best[0]) | (np.arange(scores.shape[2]) == best[1])
        above = [end > np.take_along_axis(end, other, axis=1) for end, other in zip(ends, best[::-1], strict=True)]
        compete = own | (above[0] & above[1])
        scored = np.where(compete & ~np.isnan(blended), blended, -np.inf)
        # Where nothing is above -inf, the lowest of those that compete.
        winner = np.where(np.isneginf(scored).all(axis=1), compete.argmax(axis=1), scored.argmax(axis=1))
        mask[at_y, at_x] = np.where(best[0] == best[1], best[0], winner[:, None])[:, 0]
    return mask.astype(np.uint8)


def _neighbours(size: int, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    at = np.clip((np.arange(count) + 0.5) * size / count - 0.5, 0, size - 1)
    first = np.floor(at).astype(np.intp)
    weight = (at - first).astype(np.float32)
    return first, first + (weight > 0), weight


def l2_normalize(x: npt.NDArray[Any], zero_point: int) -> npt.NDArray[np.float32]:
    """x / |x| in float64; zeros stay zeros, anything infinite makes all NaN."""
    values = x.astype(np.float64) - zero_point
    with np.errstate(invalid="ignore"):
        length = np.sqrt((values * values).sum())
        if not np.isfinite(length):
            return np.full(x.shape, np.nan, np.float32)
        result: npt.NDArray[np.float32] = (values / (length or 1.0)).astype(np.float32)
    return result


def cosine(query: npt.NDArray[Any], q_zero: int, gallery: npt.NDArray[Any], g_zero: int) -> npt.NDArray[np.float32]:
    """Cosines of one vector with the rows of a table, in float64; 0 where one of the two is zeros."""
    a, rows = query.astype(np.float64) - q_zero, gallery.astype(np.float64) - g_zero
    with np.errstate(invalid="ignore"):
        dot, squares = rows @ a, (rows * rows).sum(axis=1)
        lengths = np.sqrt((a * a).sum()) * np.sqrt(squares)
        result = np.clip(dot / np.where(lengths == 0, 1.0, lengths), -1, 1)
        result[(squares == 0) | ((a * a).sum() == 0)] = 0
    narrowed: npt.NDArray[np.float32] = result.astype(np.float32)
    return narrowed
