// The vector part of embeddings; embed.cc holds the rest, once for all instruction sets.
#ifndef MOBILEKIT_SRC_EMBED_H_
#define MOBILEKIT_SRC_EMBED_H_

#include <stdint.h>

namespace mobilekit {

struct EmbedOps {
  // Sum of a[i] * b[i] in the order that embed.h of the C interface names.
  double (*dot_f32)(const float* a, const float* b, int32_t n);
  // Sum of (a[i] - a_zero) * (b[i] - b_zero), exact.
  int64_t (*dot_i8)(const int8_t* a, int32_t a_zero, const int8_t* b, int32_t b_zero, int32_t n);
  // dst[i] = x[i] / by, rounded once.
  void (*scale_f32)(float* dst, const float* x, int32_t n, double by);
  void (*scale_i8)(float* dst, const int8_t* x, int32_t zero_point, int32_t n, double by);
};

extern const EmbedOps kEmbedOpsScalar;
extern const EmbedOps kEmbedOpsAvx2;

const EmbedOps& embed_ops();

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_EMBED_H_
