// Segmentation scores -> class mask at another size: bilinear resize of the scores and argmax over the classes, in one pass.
#ifndef MOBILEKIT_SEGMENT_H_
#define MOBILEKIT_SEGMENT_H_

#include "mobilekit/preprocess.h"

#ifdef __cplusplus
extern "C" {
#endif

// The part `rect` of a tensor of height x width x classes scores (the whole, or what a letterbox left of it) becomes a mask of
// out_height x out_width bytes, one class a byte.
//
// Sample positions are those of half-pixel centres: source = rect_y + (y + 0.5) * rect_height / out_height - 0.5, clamped to
// the rectangle, in float64. Where the four source pixels around a sample have the same best class, that is its class: no
// weighted mean can make another score larger (within rounding). Elsewhere columns come first, every class in float32:
//     left = a * (1 - wy) + b * wy,  likewise right,  NaN as -inf;  where both have the same best class, that is it.
// Of the rest, the best class of either side and those that are above both of these at the other's side compete:
//     score = left * (1 - wx) + right * wx,  the largest wins.
// A neighbour of weight 0 is left out. Of equal scores the lower class wins; NaN loses to every number; class 0 where there
// is nothing else.
// int8 scores are read as they are: scale and zero point of a tensor do not change which class is largest.
typedef struct mk_segment_args {
  const void* data;
  int64_t data_bytes;
  int32_t dtype;   // MK_DTYPE_FLOAT32 or MK_DTYPE_INT8
  int32_t layout;  // mk_layout
  int32_t width, height;
  int32_t classes;  // 1 .. 256
  int32_t rect_x, rect_y, rect_width, rect_height;
  uint8_t* out;
  int64_t out_bytes;
  int64_t out_row_stride;  // bytes, at least out_width
  int32_t out_width, out_height;
} mk_segment_args;

int32_t mk_segment_check(const mk_segment_args* args);
int64_t mk_segment_scratch_bytes(const mk_segment_args* args);  // of one thread; 0 where the arguments are wrong

// Rows first_row .. end_row - 1 of the mask; ranges may run on several threads, each with its own scratch (any alignment).
// MK_ERROR_OVERLAP where the mask overlaps the scores.
int32_t mk_segment(const mk_segment_args* args, int32_t first_row, int32_t end_row, void* scratch,
                   int64_t scratch_bytes);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_SEGMENT_H_
