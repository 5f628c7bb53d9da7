// Camera frame -> input tensor in one pass: crop, rotate, mirror, resize, colour, normalise, quantise.
//
// The picture `crop` of `image`, turned clockwise by `rotation`, then mirrored left-right if `mirror`, is resized to
// rect_width x rect_height and written at (rect_x, rect_y) of a tensor of out_height x out_width x channels; the rest of
// the tensor is filled with `pad_level`. Every element is
//     out = level * multiply[c] + add[c],  level in 0 .. 255,  c the channel in the output's own order
// rounded half to even and saturated for integer types. `mk_fold_normalization` makes multiply and add.
//
// Arithmetic (the same in every version, so all give the same bytes):
//   1. a source row pair is blended with a weight of 1/128:         (a * (128 - w) + b * w + 64) >> 7      -> uint8
//   2. a column pair is blended likewise, kept with 6 more bits:    (a * (128 - w) + b * w + 1) >> 1       -> 64 * level
//   1', 2'. filters that average: sums with weights of 1/2^14, (sum + 2^13) >> 14 clamped to uint8 and (sum + 2^7) >> 8
//      clamped to 64 * 0 .. 64 * 255; at most 256 pixels a sample and axis (MK_ERROR_FILTER where there would be more)
//   3. colour in Q15 on those, saturated to 64 * 0 .. 64 * 255
//   4. multiply-add in float32, two roundings (no fused multiply-add).
// Chroma is taken at full resolution: the sample of the pixel, blended with the weights of the luma. Against float64 a
// plane is off by at most 2 * 255/256 (weights) + 0.5 + 1/128 (rounding) = 2.5 levels, and seen to be off by 0.3.
#ifndef MOBILEKIT_PREPROCESS_H_
#define MOBILEKIT_PREPROCESS_H_

#include "mobilekit/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mk_filter {
  MK_FILTER_NEAREST = 0,                // pixel floor((i + 0.5) * in / out)
  MK_FILTER_BILINEAR = 1,               // half-pixel centres, as OpenCV's INTER_LINEAR and torch's align_corners=False
  MK_FILTER_BILINEAR_ALIGN_CORNERS = 2, // first and last pixel centres map onto each other
  // The filters below average every pixel under them, so that shrinking does not alias; enlarging, they interpolate.
  MK_FILTER_AREA = 3,       // mean of the covered pixels, parts of pixels by their part: OpenCV's INTER_AREA
  MK_FILTER_ANTIALIAS = 4,  // a triangle as wide as two output pixels: PIL's BILINEAR, torch's antialias=True
  MK_FILTER_BICUBIC = 5     // Keys' cubic, a = -0.5, as wide as four output pixels: PIL's BICUBIC
} mk_filter;

typedef enum mk_dtype {
  MK_DTYPE_INT8 = 0,
  MK_DTYPE_UINT8 = 1,
  MK_DTYPE_FLOAT32 = 2,
  MK_DTYPE_INT16 = 3,
  MK_DTYPE_FLOAT16 = 4  // IEEE half precision, rounded half to even from the float32 result
} mk_dtype;

typedef enum mk_layout { MK_LAYOUT_NHWC = 0, MK_LAYOUT_NCHW = 1 } mk_layout;

typedef enum mk_channels {
  MK_CHANNELS_RGB = 0,
  MK_CHANNELS_BGR = 1,
  MK_CHANNELS_GRAY = 2  // luma of YUV420; 0.299 R + 0.587 G + 0.114 B of colour images
} mk_channels;

typedef struct mk_preprocess_args {
  mk_image image;

  // Source rectangle in pixels of the frame as stored (before rotation); may be fractional. Samples never come from
  // outside floor(crop_x) .. ceil(crop_x + crop_width) - 1: the edge pixel is repeated, as if cropped first.
  double crop_x, crop_y, crop_width, crop_height;
  int32_t rotation;  // clockwise degrees: 0, 90, 180, 270
  int32_t mirror;    // not 0: flip left-right after the rotation
  int32_t filter;    // mk_filter
  int32_t color;     // mk_color

  void* out;          // NHWC or NCHW, densely packed, batch 1, aligned to its element
  int64_t out_bytes;  // bytes that may be written from out on
  int32_t out_width, out_height;
  int32_t channels;  // mk_channels
  int32_t dtype;     // mk_dtype
  int32_t layout;    // mk_layout
  int32_t rect_x, rect_y, rect_width, rect_height;  // where the picture goes in the tensor
  float pad_level[3];                               // levels (0 .. 255, any finite) for the rest of the tensor
  float multiply[3], add[3];
} mk_preprocess_args;

// MK_OK, or the first thing that is wrong.
int32_t mk_preprocess_check(const mk_preprocess_args* args);

// Bytes of scratch for one call of mk_preprocess (each thread needs its own); 0 where the arguments are wrong.
int64_t mk_preprocess_scratch_bytes(const mk_preprocess_args* args);

// The work is cut into this many parts that write disjoint bytes; 0 where the arguments are wrong.
int32_t mk_preprocess_parts(const mk_preprocess_args* args);

// Does the parts first_part .. end_part - 1. One thread: mk_preprocess(args, 0, mk_preprocess_parts(args), ...).
// `scratch` needs no alignment. The output may not overlap the image.
int32_t mk_preprocess(const mk_preprocess_args* args, int32_t first_part, int32_t end_part, void* scratch,
                      int64_t scratch_bytes);

// out = ((level - mean) / std) / scale + zero_point as one multiply and one add, in float64 rounded once.
// mean and std in units of levels (0 .. 255); scale 1 and zero_point 0 for float outputs. channels 1 .. 3.
int32_t mk_fold_normalization(int32_t channels, const double* mean, const double* std_dev, double scale,
                              int32_t zero_point, float* multiply, float* add);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_PREPROCESS_H_
