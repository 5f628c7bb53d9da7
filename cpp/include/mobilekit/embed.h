// Embeddings: L2 normalisation and cosine similarity.
#ifndef MOBILEKIT_EMBED_H_
#define MOBILEKIT_EMBED_H_

#include "mobilekit/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// out[i] = x[i] / sqrt(sum of squares); a vector of zeros stays zeros, NaN or an infinity anywhere makes all NaN. Sums run in
// float64 (no square of a float overflows) over 16 interleaved partial sums added pairwise, the same in every version; the
// result is rounded to float32 once. In place is allowed. 1 <= n <= MK_MAX_SIZE.
int32_t mk_l2_normalize_f32(const float* x, int32_t n, float* out);

// The same of int8 values x[i] - zero_point; the scale of a tensor cancels, sums are exact.
int32_t mk_l2_normalize_i8(const int8_t* x, int32_t n, int32_t zero_point, float* out);

// out[j] = cosine of the angle between `query` (n) and row j of `gallery` (rows x n, densely packed): dot / sqrt(qq * gg), in
// float64, rounded to float32 once, clamped to -1 .. 1. 0 where one of the two is all zeros. rows >= 1.
int32_t mk_cosine_f32(const float* query, const float* gallery, int32_t rows, int32_t n, float* out);

// Both quantized, each with its own zero point (scales cancel).
int32_t mk_cosine_i8(const int8_t* query, int32_t query_zero_point, const int8_t* gallery, int32_t gallery_zero_point,
                     int32_t rows, int32_t n, float* out);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_EMBED_H_
