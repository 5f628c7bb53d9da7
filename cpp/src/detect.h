// The vector part of detection; detect.cc holds the rest, once for all instruction sets.
#ifndef MOBILEKIT_SRC_DETECT_H_
#define MOBILEKIT_SRC_DETECT_H_

#include <stdint.h>

namespace mobilekit {

// Anchors that are looked at together: 128 float columns x 80 rows are 40 KB, so that the search for the classes of the
// survivors finds them in the second-level cache, and mostly in the first.
inline constexpr int32_t kAnchorBlock = 128;

// Boxes that were kept, one array a corner; arrays are readable up to a multiple of kKeptBlock.
inline constexpr int32_t kKeptBlock = 16;

struct KeptBoxes {
  float *x1, *y1, *x2, *y2, *area;
  int32_t* class_id;
};

struct Box {
  float x1, y1, x2, y2, area;
  int32_t class_id;
};

struct DetectOps {
  // best[j] = the largest of data[c * stride + j] over c < rows, NaN skipped; j < columns <= kAnchorBlock.
  void (*max_columns_f32)(float* best, const float* data, int64_t stride, int32_t rows, int32_t columns);
  void (*max_columns_i8)(int8_t* best, const int8_t* data, int64_t stride, int32_t rows, int32_t columns);
  // class_id[j] = the lowest c with data[c * stride + j] == best[j], or 0.
  void (*class_columns_f32)(int32_t* class_id, const float* best, const float* data, int64_t stride, int32_t rows,
                            int32_t columns);
  void (*class_columns_i8)(int32_t* class_id, const int8_t* best, const int8_t* data, int64_t stride, int32_t rows,
                           int32_t columns);
  // Whether one of the first `count` kept boxes of the same class has an IoU above `threshold` with `box`.
  bool (*suppressed)(const KeptBoxes& kept, int32_t count, const Box& box, float threshold);
};

extern const DetectOps kDetectOpsScalar;
extern const DetectOps kDetectOpsAvx2;

const DetectOps& detect_ops();

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_DETECT_H_
