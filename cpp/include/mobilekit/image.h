// An image as the camera or the decoder left it in memory. Nothing here owns memory.
#ifndef MOBILEKIT_IMAGE_H_
#define MOBILEKIT_IMAGE_H_

#include "mobilekit/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mk_format {
  MK_FORMAT_YUV420 = 0,  // Android's YUV_420_888: plane 0 is Y, plane 1 is U, plane 2 is V, whatever their order in memory
  MK_FORMAT_RGB = 1,     // 3 bytes a pixel, one plane
  MK_FORMAT_BGR = 2,
  MK_FORMAT_RGBA = 3,  // 4 bytes a pixel, one plane, alpha is ignored
  MK_FORMAT_BGRA = 4,
  MK_FORMAT_GRAY = 5  // 1 byte a pixel
} mk_format;

// How Y'CbCr becomes R'G'B' (ITU-T T.871 for the first, ITU-R BT.601 and BT.709 for the others). Android's YUV_420_888 is
// MK_COLOR_BT601_FULL (JFIF) unless the frame's data space says otherwise. Ignored for formats other than YUV420.
typedef enum mk_color {
  MK_COLOR_BT601_FULL = 0,
  MK_COLOR_BT601_LIMITED = 1,
  MK_COLOR_BT709_FULL = 2,
  MK_COLOR_BT709_LIMITED = 3
} mk_color;

// A pixel (x, y) of plane p is at plane[p] + y * row_stride[p] + x * (bytes a pixel); chroma planes have
// (width + 1) / 2 by (height + 1) / 2 samples and sample (x >> 1, y >> 1) belongs to pixel (x, y).
typedef struct mk_image {
  int32_t format;  // mk_format
  int32_t width;   // pixels, 1 .. MK_MAX_SIZE
  int32_t height;
  int32_t chroma_pixel_stride;  // YUV420: bytes from one U to the next, 1 (I420, YV12) or 2 (NV12, NV21)
  const uint8_t* plane[3];      // unused planes are null
  int64_t plane_bytes[3];       // bytes that may be read from plane[p] on
  int64_t row_stride[3];        // bytes; at least the bytes of a row
} mk_image;

// MK_OK, or what is wrong with the description. Never reads a pixel.
int32_t mk_image_check(const mk_image* image);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_IMAGE_H_
