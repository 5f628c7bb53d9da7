// Class scores -> answer: top-k and softmax of float32 or int8 scores. int8 scores are compared as they are.
#ifndef MOBILEKIT_SCORES_H_
#define MOBILEKIT_SCORES_H_

#include "mobilekit/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// The k largest of n scores, largest first; of equal scores the lower index comes first. NaN counts as smaller than
// every number. indices and values hold k elements. 1 <= k <= n <= MK_MAX_SIZE. O(n + k * improvements), no scratch.
int32_t mk_top_k_f32(const float* scores, int32_t n, int32_t k, int32_t* indices, float* values);

// The same; values are scale * (score - zero_point). scale must be finite and above 0.
int32_t mk_top_k_i8(const int8_t* scores, int32_t n, int32_t k, float scale, int32_t zero_point, int32_t* indices,
                    float* values);

// probabilities[i] = exp(scores[i] - max) / sum; in place is allowed. exp is a degree-6 polynomial with a relative error
// below 2e-7; the sum runs over 16 interleaved partial sums, added pairwise, in every version. A NaN or +inf score makes
// every probability NaN. n probabilities.
int32_t mk_softmax_f32(const float* scores, int32_t n, float* probabilities);

// Softmax of scale * (scores - zero_point); the zero point cancels. One exp for each of the 256 values at most.
int32_t mk_softmax_i8(const int8_t* scores, int32_t n, float scale, float* probabilities);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_SCORES_H_
