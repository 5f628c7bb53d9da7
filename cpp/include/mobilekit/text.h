// Text recognition: scores of every class at every time step -> a sequence of classes (connectionist temporal classification).
#ifndef MOBILEKIT_TEXT_H_
#define MOBILEKIT_TEXT_H_

#include "mobilekit/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Greedy decoding: the best class of every step (the lower one among equals, NaN below every number, a step without a number
// counts as blank); repeats are merged, then blanks dropped. The reading order is the order of the steps.
//
// scores: steps x classes, densely packed; probabilities, log-probabilities or logits alike. blank: which class is none.
// symbols, at, values: room for `steps` elements each; the class, the first step that showed it, and its score there.
// *count: how many were written. 1 <= steps, classes <= MK_MAX_SIZE. No scratch.
int32_t mk_ctc_greedy_f32(const float* scores, int32_t steps, int32_t classes, int32_t blank, int32_t* symbols,
                          int32_t* at, float* values, int32_t* count);

// The same on int8, compared as integers; values are scale * (score - zero_point). scale finite and above 0.
int32_t mk_ctc_greedy_i8(const int8_t* scores, int32_t steps, int32_t classes, int32_t blank, float scale,
                         int32_t zero_point, int32_t* symbols, int32_t* at, float* values, int32_t* count);

// Prefix beam search (Hannun et al., 2014, without a language model): the most probable sequences, each with the sum over all
// alignments that spell it, where greedy decoding follows the best alignment alone.
//
// probabilities: steps x classes float32, of each step adding up to about 1; NaN and negative count as 0. After each step the
// beam_width best prefixes stay (1 .. MK_MAX_BEAM), extended by the beam_width best classes of the step. Arithmetic in
// float64, scaled by powers of two, so no product underflows on the way. Of equally probable prefixes the one that was kept
// first stays first, then the one whose new class is more probable.
// symbols: results x steps; sequence i has lengths[i] classes from symbols + i * steps on. probability[i]: of sequence i, 0
// below the range of float64. *count: how many there are, at most `results` (1 .. beam_width), best first; sequences of
// probability 0 are not among them. steps * beam_width <= MK_MAX_SIZE (MK_ERROR_SIZE). No alignment asked of scratch.
#define MK_MAX_BEAM 256
int64_t mk_ctc_beam_scratch_bytes(int32_t steps, int32_t classes, int32_t beam_width);
int32_t mk_ctc_beam_f32(const float* probabilities, int32_t steps, int32_t classes, int32_t blank, int32_t beam_width,
                        int32_t results, int32_t* symbols, int32_t* lengths, double* probability, int32_t* count,
                        void* scratch, int64_t scratch_bytes);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_TEXT_H_
