// The vector part of segmentation; segment.cc holds the rest, once for all instruction sets.
#ifndef MOBILEKIT_SRC_SEGMENT_H_
#define MOBILEKIT_SRC_SEGMENT_H_

#include <stdint.h>

namespace mobilekit {

inline constexpr int32_t kMaxClasses = 256;  // a class is a byte

struct SegmentOps {
  // Best class of each of n pixels; of pixel i, class c the score is row[i * pixel_step + c * class_step].
  void (*best_f32)(uint8_t* best, const float* row, int64_t pixel_step, int64_t class_step, int32_t n, int32_t classes);
  void (*best_i8)(uint8_t* best, const int8_t* row, int64_t pixel_step, int64_t class_step, int32_t n, int32_t classes);
  // dst[c] = a[c * stride] * (1 - weight) + b[c * stride] * weight.
  void (*blend_f32)(float* dst, const float* a, const float* b, int64_t stride, int32_t classes, float weight);
  void (*blend_i8)(float* dst, const int8_t* a, const int8_t* b, int64_t stride, int32_t classes, float weight);
  // NaN becomes -inf; returns the lowest index of the largest.
  int32_t (*best_of)(float* scores, int32_t classes);
};

extern const SegmentOps kSegmentOpsScalar;
extern const SegmentOps kSegmentOpsAvx2;

const SegmentOps& segment_ops();

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_SEGMENT_H_
