// Top-k and softmax loops for the baseline of the compiler.
#include "scores.h"

#include <string.h>

#include "bits.h"
#include "target.h"

namespace mobilekit {
namespace {
#include "scores-inl.h"
}  // namespace

const ScoreOps kScoreOpsScalar = {next_above_f32, next_above_i8, max_f32,    max_i8,   exp_sum,
                                  sum,            divide,         argmax_f32, argmax_i8};

}  // namespace mobilekit
