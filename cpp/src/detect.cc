// Non-maximum suppression and YOLO decoding: arguments, sorting, and the walk over the candidates.
#include "detect.h"

#include <string.h>

#include "bits.h"
#include "geometry.h"
#include "mobilekit/detect.h"
#include "scratch.h"

namespace mobilekit {
namespace {

// ---- Order ---------------------------------------------------------------------------------------------------------

struct Candidate {
  float score;
  int32_t index;
};

// A key that grows as the score falls (floats of one sign are ordered like their bits; negative ones the other way).
uint32_t key_of(float score) {
  const uint32_t bits = bits_of(score == 0.0f ? 0.0f : score);  // -0 and 0 are equal
  const uint32_t rising = (bits & 0x80000000u) ? ~bits : bits | 0x80000000u;
  return ~rising;
}

// Sorts by falling score, keeping the order of equals: least significant digits first, three digits of 11, 11 and 10 bits.
// Three passes over 8400 candidates take 40 us where a heap sort takes 300.
constexpr int kRadixBits = 11;

struct SortSpace {
  Candidate* other;
  int32_t* counts;  // 1 << kRadixBits
};

void sort_by_score(Candidate* candidates, int32_t n, const SortSpace& space) {
  Candidate* from = candidates;
  Candidate* to = space.other;
  for (int shift = 0; shift < 32; shift += kRadixBits) {
    constexpr uint32_t kMask = (1u << kRadixBits) - 1;
    memset(space.counts, 0, sizeof(int32_t) << kRadixBits);
    for (int32_t i = 0; i < n; ++i) ++space.counts[(key_of(from[i].score) >> shift) & kMask];
    int32_t start = 0;
    for (uint32_t digit = 0; digit <= kMask; ++digit) {
      const int32_t count = space.counts[digit];
      space.counts[digit] = start;
      start += count;
    }
    for (int32_t i = 0; i < n; ++i) to[space.counts[(key_of(from[i].score) >> shift) & kMask]++] = from[i];
    Candidate* const swap = from;
    from = to;
    to = swap;
  }
  memcpy(candidates, from, static_cast<size_t>(n) * sizeof(Candidate));  // three passes end in the other array
}

// ---- Suppression ---------------------------------------------------------------------------------------------------

KeptBoxes take_kept(Scratch& scratch, int32_t max_keep) {
  const int64_t room = (int64_t{max_keep} + kKeptBlock - 1) / kKeptBlock * kKeptBlock;
  KeptBoxes kept;
  float** const arrays[] = {&kept.x1, &kept.y1, &kept.x2, &kept.y2, &kept.area};
  for (float** array : arrays) *array = scratch.take<float>(room);
  kept.class_id = scratch.take<int32_t>(room);
  return kept;
}

// The largest float that is not above `threshold`: a float IoU is above the double exactly if it is above this.
float round_down(double threshold) {
  const float nearest = static_cast<float>(threshold);
  return static_cast<double>(nearest) <= threshold ? nearest : float_of(bits_of(nearest) - 1);
}

// Walks over sorted candidates and keeps at most max_keep; box_of(index) gives a candidate's box. Calls keep(candidate).
template <typename BoxOf, typename Keep>
void suppress(const Candidate* candidates, int32_t n, double iou_threshold, int32_t max_keep, KeptBoxes& kept,
              BoxOf box_of, Keep keep) {
  const DetectOps& ops = detect_ops();
  const float threshold = round_down(iou_threshold);
  int32_t count = 0;
  for (int32_t i = 0; i < n && count < max_keep; ++i) {
    const Box box = box_of(candidates[i].index);
    if (ops.suppressed(kept, count, box, threshold)) continue;
    if (count % kKeptBlock == 0) {
      // A new block starts out as boxes that overlap nothing.
      for (int32_t j = count; j < count + kKeptBlock; ++j) {
        kept.x1[j] = kept.y1[j] = kept.x2[j] = kept.y2[j] = kept.area[j] = 0;
        kept.class_id[j] = -1;
      }
    }
    kept.x1[count] = box.x1;
    kept.y1[count] = box.y1;
    kept.x2[count] = box.x2;
    kept.y2[count] = box.y2;
    kept.area[count] = box.area;
    kept.class_id[count] = box.class_id;
    ++count;
    keep(candidates[i], box);
  }
}

Box make_box(float x1, float y1, float x2, float y2, int32_t class_id) {
  return {x1, y1, x2, y2, (x2 - x1) * (y2 - y1), class_id};
}

struct NmsSpace {
  Candidate* candidates;
  SortSpace sort;
  KeptBoxes kept;
};

NmsSpace take_nms(Scratch& scratch, int32_t n, int32_t max_keep) {
  NmsSpace space;
  space.candidates = scratch.take<Candidate>(n);
  space.sort.other = scratch.take<Candidate>(n);
  space.sort.counts = scratch.take<int32_t>(1 << kRadixBits);
  space.kept = take_kept(scratch, max_keep < n ? max_keep : n);
  return space;
}

bool is_probability(double x) { return x >= 0.0 && x <= 1.0; }

// ---- YOLO ----------------------------------------------------------------------------------------------------------

// One anchor's channels as numbers, whatever the type and layout of the tensor.
struct FloatReader {
  using Value = float;
  const float* data;
  float number(Value x) const { return x; }
};

struct Int8Reader {
  using Value = int8_t;
  const int8_t* data;
  float scale;
  int32_t zero_point;
  float number(Value x) const { return scale * static_cast<float>(x - zero_point); }
};

void max_columns(const DetectOps& ops, float* best, const float* data, int64_t stride, int32_t rows, int32_t columns) {
  ops.max_columns_f32(best, data, stride, rows, columns);
}

void max_columns(const DetectOps& ops, int8_t* best, const int8_t* data, int64_t stride, int32_t rows,
                 int32_t columns) {
  ops.max_columns_i8(best, data, stride, rows, columns);
}

void class_columns(const DetectOps& ops, int32_t* class_id, const float* best, const float* data, int64_t stride,
                   int32_t rows, int32_t columns) {
  ops.class_columns_f32(class_id, best, data, stride, rows, columns);
}

void class_columns(const DetectOps& ops, int32_t* class_id, const int8_t* best, const int8_t* data, int64_t stride,
                   int32_t rows, int32_t columns) {
  ops.class_columns_i8(class_id, best, data, stride, rows, columns);
}

struct Steps {
  int64_t channel, anchor;  // elements from one channel, or anchor, to the next
};

Steps steps_of(const mk_yolo_args& a) {
  if (a.layout == MK_YOLO_CHANNELS_FIRST) return {a.anchors, 1};
  return {1, 4 + a.objectness + a.classes};
}

// Up to so many survivors of a block look for their class one by one; more are faster served all at once.
constexpr int32_t kFewSurvivors = 4;

// Finds the candidates: first the largest class score of each anchor of a block, then the class of those that pass.
template <typename Reader>
int32_t find_candidates(const mk_yolo_args& a, const Reader& reader, Candidate* candidates, int32_t* classes) {
  using Value = typename Reader::Value;
  const DetectOps& ops = detect_ops();
  const Steps steps = steps_of(a);
  const Value* const scores = reader.data + (4 + a.objectness) * steps.channel;
  int32_t count = 0;
  for (int32_t first = 0; first < a.anchors; first += kAnchorBlock) {
    const int32_t left = a.anchors - first, columns = left < kAnchorBlock ? left : kAnchorBlock;
    Value best[kAnchorBlock];
    if (a.layout == MK_YOLO_CHANNELS_FIRST) {
      max_columns(ops, best, scores + first, a.anchors, a.classes, columns);
    } else {
      for (int32_t j = 0; j < columns; ++j) {
        const Value* const row = scores + (first + j) * steps.anchor;
        best[j] = row[0];
        for (int32_t c = 1; c < a.classes; ++c) {
          // A NaN that stands first gives way to any number.
          best[j] = row[c] > best[j] || best[j] != best[j] ? row[c] : best[j];
        }
      }
    }
    const int32_t before = count;
    for (int32_t j = 0; j < columns; ++j) {
      const int32_t anchor = first + j;
      float score = reader.number(best[j]);
      if (a.objectness) score *= reader.number(reader.data[4 * steps.channel + anchor * steps.anchor]);
      if (!(score > a.confidence)) continue;
      candidates[count++] = {score, anchor};
    }
    if (a.layout == MK_YOLO_CHANNELS_FIRST && count - before > kFewSurvivors) {
      class_columns(ops, classes + first, best, scores + first, a.anchors, a.classes, columns);
      continue;
    }
    for (int32_t i = before; i < count; ++i) {
      const int32_t anchor = candidates[i].index;
      const Value wanted = best[anchor - first];
      int32_t c = 0;
      while (c + 1 < a.classes && scores[c * steps.channel + anchor * steps.anchor] != wanted) ++c;
      classes[anchor] = c;
    }
  }
  return count;
}

template <typename Reader>
void detect(const mk_yolo_args& a, const Reader& reader, NmsSpace& space, int32_t* classes, mk_detection* detections,
            int32_t* kept_count) {
  const Steps steps = steps_of(a);
  const int32_t n = find_candidates(a, reader, space.candidates, classes);
  sort_by_score(space.candidates, n, space.sort);
  const auto box_of = [&](int32_t anchor) {
    float x[4];
    for (int c = 0; c < 4; ++c) x[c] = reader.number(reader.data[c * steps.channel + anchor * steps.anchor]);
    const int32_t class_id = a.class_agnostic ? 0 : classes[anchor];
    if (a.box_format == MK_BOX_XYXY) return make_box(x[0], x[1], x[2], x[3], class_id);
    const float w = x[2] * 0.5f, h = x[3] * 0.5f;
    return make_box(x[0] - w, x[1] - h, x[0] + w, x[1] + h, class_id);
  };
  int32_t count = 0;
  suppress(space.candidates, n, a.iou_threshold, a.max_detections, space.kept, box_of,
           [&](const Candidate& candidate, const Box& box) {
             detections[count++] = {box.x1,          box.y1, box.x2, box.y2, candidate.score, classes[candidate.index],
                                    candidate.index};
           });
  *kept_count = count;
}

struct YoloSpace {
  NmsSpace nms;
  int32_t* classes;
};

YoloSpace take_yolo(Scratch& scratch, const mk_yolo_args& a) {
  YoloSpace space;
  space.nms = take_nms(scratch, a.anchors, a.max_detections);
  space.classes = scratch.take<int32_t>(a.anchors);
  return space;
}

}  // namespace
}  // namespace mobilekit

extern "C" {

int64_t mk_nms_scratch_bytes(int32_t n, int32_t max_keep) {
  using namespace mobilekit;
  if (n < 0 || n > MK_MAX_SIZE || max_keep < 1) return 0;
  Scratch count(nullptr);
  take_nms(count, n, max_keep);
  return count.needed();
}

int32_t mk_nms(const float* boxes, const float* scores, const int32_t* classes, int32_t n, double iou_threshold,
               int32_t max_keep, int32_t* keep, int32_t* kept, void* scratch, int64_t scratch_bytes) {
  using namespace mobilekit;
  if (n < 0 || n > MK_MAX_SIZE) return MK_ERROR_SIZE;
  if ((n > 0 && (boxes == nullptr || scores == nullptr)) || keep == nullptr || kept == nullptr) {
    return MK_ERROR_NULL_POINTER;
  }
  if (max_keep < 1) return MK_ERROR_RANGE;
  if (!is_probability(iou_threshold)) return MK_ERROR_THRESHOLD;
  if (scratch == nullptr || scratch_bytes < mk_nms_scratch_bytes(n, max_keep)) return MK_ERROR_SCRATCH;
  Scratch pieces(scratch);
  NmsSpace space = take_nms(pieces, n, max_keep);
  int32_t valid = 0;
  for (int32_t i = 0; i < n; ++i) {
    if (scores[i] == scores[i]) space.candidates[valid++] = {scores[i], i};
  }
  sort_by_score(space.candidates, valid, space.sort);
  int32_t count = 0;
  suppress(
      space.candidates, valid, iou_threshold, max_keep, space.kept,
      [&](int32_t i) {
        const float* const b = boxes + int64_t{4} * i;
        return make_box(b[0], b[1], b[2], b[3], classes == nullptr ? 0 : classes[i]);
      },
      [&](const Candidate& candidate, const Box&) { keep[count++] = candidate.index; });
  *kept = count;
  return MK_OK;
}

int32_t mk_yolo_check(const mk_yolo_args* args) {
  using namespace mobilekit;
  if (args == nullptr) return MK_ERROR_NULL_POINTER;
  const mk_yolo_args& a = *args;
  if (a.data == nullptr) return MK_ERROR_NULL_POINTER;
  if (a.dtype != MK_DTYPE_FLOAT32 && a.dtype != MK_DTYPE_INT8) return MK_ERROR_DTYPE;
  if (a.anchors < 1 || a.classes < 1 || a.anchors > MK_MAX_SIZE || a.classes > MK_MAX_SIZE) return MK_ERROR_SIZE;
  if (a.layout != MK_YOLO_CHANNELS_FIRST && a.layout != MK_YOLO_CHANNELS_LAST) return MK_ERROR_LAYOUT;
  if (a.objectness != 0 && a.objectness != 1) return MK_ERROR_CHANNELS;
  if (a.box_format != MK_BOX_CXCYWH && a.box_format != MK_BOX_XYXY) return MK_ERROR_FORMAT;
  if (!is_probability(a.confidence) || !is_probability(a.iou_threshold)) return MK_ERROR_THRESHOLD;
  if (a.max_detections < 1) return MK_ERROR_RANGE;
  if (a.dtype == MK_DTYPE_INT8 &&
      (!is_finite(static_cast<double>(a.scale)) || !(a.scale > 0) || a.zero_point < -128 || a.zero_point > 127)) {
    return MK_ERROR_NORMALIZATION;
  }
  const int64_t element = a.dtype == MK_DTYPE_FLOAT32 ? 4 : 1;
  if (reinterpret_cast<uintptr_t>(a.data) % static_cast<uintptr_t>(element) != 0) return MK_ERROR_ALIGNMENT;
  // (2^24 + 5) * 2^24 * 4 < 2^51.
  if (a.data_bytes < (int64_t{4} + a.objectness + a.classes) * a.anchors * element) return MK_ERROR_BUFFER_TOO_SMALL;
  return MK_OK;
}

int64_t mk_yolo_scratch_bytes(const mk_yolo_args* args) {
  using namespace mobilekit;
  if (mk_yolo_check(args) != MK_OK) return 0;
  Scratch count(nullptr);
  take_yolo(count, *args);
  return count.needed();
}

int32_t mk_yolo(const mk_yolo_args* args, mk_detection* detections, int32_t* count, void* scratch,
                int64_t scratch_bytes) {
  using namespace mobilekit;
  const int32_t status = mk_yolo_check(args);
  if (status != MK_OK) return status;
  if (detections == nullptr || count == nullptr) return MK_ERROR_NULL_POINTER;
  if (scratch == nullptr || scratch_bytes < mk_yolo_scratch_bytes(args)) return MK_ERROR_SCRATCH;
  Scratch pieces(scratch);
  YoloSpace space = take_yolo(pieces, *args);
  if (args->dtype == MK_DTYPE_FLOAT32) {
    detect(*args, FloatReader{static_cast<const float*>(args->data)}, space.nms, space.classes, detections, count);
  } else {
    const Int8Reader reader = {static_cast<const int8_t*>(args->data), args->scale, args->zero_point};
    detect(*args, reader, space.nms, space.classes, detections, count);
  }
  return MK_OK;
}

int32_t mk_boxes_to_frame(const mk_preprocess_args* args, float* boxes, int32_t n) {
  if (args == nullptr || (boxes == nullptr && n > 0)) return MK_ERROR_NULL_POINTER;
  if (n < 0 || n > MK_MAX_SIZE) return MK_ERROR_SIZE;
  const mk_preprocess_args& a = *args;
  if (a.rect_width < 1 || a.rect_height < 1) return MK_ERROR_RANGE;
  if (a.rotation != 0 && a.rotation != 90 && a.rotation != 180 && a.rotation != 270) return MK_ERROR_ROTATION;
  for (int32_t i = 0; i < n; ++i) {
    float* const box = boxes + int64_t{4} * i;
    double at[2][2];  // two opposite corners in the crop, each axis in 0 .. 1
    for (int corner = 0; corner < 2; ++corner) {
      double x = (static_cast<double>(box[2 * corner]) - a.rect_x) / a.rect_width;
      double y = (static_cast<double>(box[2 * corner + 1]) - a.rect_y) / a.rect_height;
      if (a.mirror) x = 1 - x;
      const double turned_x = x, turned_y = y;
      switch (a.rotation) {  // a clockwise turn undone
        case 90:
          x = turned_y, y = 1 - turned_x;
          break;
        case 180:
          x = 1 - turned_x, y = 1 - turned_y;
          break;
        case 270:
          x = 1 - turned_y, y = turned_x;
          break;
        default:
          break;
      }
      at[corner][0] = a.crop_x + x * a.crop_width;
      at[corner][1] = a.crop_y + y * a.crop_height;
    }
    for (int axis = 0; axis < 2; ++axis) {
      const bool ordered = at[0][axis] <= at[1][axis];
      box[axis] = static_cast<float>(ordered ? at[0][axis] : at[1][axis]);
      box[2 + axis] = static_cast<float>(ordered ? at[1][axis] : at[0][axis]);
    }
  }
  return MK_OK;
}

}  // extern "C"
