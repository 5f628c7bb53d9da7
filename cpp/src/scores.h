// The vector part of top-k and softmax; scores.cc holds the rest, once for all instruction sets.
#ifndef MOBILEKIT_SRC_SCORES_H_
#define MOBILEKIT_SRC_SCORES_H_

#include <stdint.h>

namespace mobilekit {

struct ScoreOps {
  // First index >= from whose score is above `threshold`, or n. A NaN threshold is below every number.
  int32_t (*next_above_f32)(const float* scores, int32_t from, int32_t n, float threshold);
  int32_t (*next_above_i8)(const int8_t* scores, int32_t from, int32_t n, int32_t threshold);
  // Largest score; NaN is skipped (n >= 1; -inf where all are NaN).
  float (*max_f32)(const float* scores, int32_t n);
  int32_t (*max_i8)(const int8_t* scores, int32_t n);
  // dst[i] = exp(src[i] - max); returns the sum in the order that scores.h of the C interface names.
  float (*exp_sum)(float* dst, const float* src, int32_t n, float max);
  // The sum in that order.
  float (*sum)(const float* x, int32_t n);
  void (*divide)(float* x, int32_t n, float by);
  // Lowest index of the largest score; NaN is skipped, -1 where there is nothing else.
  int32_t (*argmax_f32)(const float* scores, int32_t n);
  int32_t (*argmax_i8)(const int8_t* scores, int32_t n);
};

extern const ScoreOps kScoreOpsScalar;
extern const ScoreOps kScoreOpsAvx2;

const ScoreOps& score_ops();

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_SCORES_H_
