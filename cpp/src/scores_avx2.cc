// Top-k and softmax loops compiled for AVX2.
#include "scores.h"

#include <string.h>

#include "bits.h"
#include "target.h"

#if MK_HAVE_AVX2
MK_BEGIN_TARGET(MK_AVX2_FEATURES)
namespace mobilekit {
namespace {
#include "scores-inl.h"
}  // namespace

const ScoreOps kScoreOpsAvx2 = {next_above_f32, next_above_i8, max_f32,    max_i8,   exp_sum,
                                  sum,            divide,         argmax_f32, argmax_i8};

}  // namespace mobilekit
MK_END_TARGET
#endif  // MK_HAVE_AVX2
