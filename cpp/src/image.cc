#include "mobilekit/image.h"

namespace {

// Whether `rows` rows of `row_bytes` bytes, `stride` apart, lie in `available` bytes. The last row need not be padded:
// Android's V plane of an NV21 frame ends one byte after its last sample.
int32_t check_plane(const uint8_t* plane, int64_t available, int64_t stride, int64_t row_bytes, int64_t rows) {
  if (plane == nullptr) return MK_ERROR_NULL_POINTER;
  if (stride < row_bytes || stride > (int64_t{1} << 36)) return MK_ERROR_ROW_STRIDE;
  // stride <= 2^36 and rows <= 2^24: the product is below 2^60.
  if (available < (rows - 1) * stride + row_bytes) return MK_ERROR_BUFFER_TOO_SMALL;
  return MK_OK;
}

}  // namespace

extern "C" int32_t mk_image_check(const mk_image* image) {
  if (image == nullptr) return MK_ERROR_NULL_POINTER;
  const int64_t width = image->width, height = image->height;
  if (width < 1 || height < 1 || width > MK_MAX_SIZE || height > MK_MAX_SIZE) return MK_ERROR_SIZE;
  int64_t pixel_bytes = 1;
  switch (image->format) {
    case MK_FORMAT_YUV420:
    case MK_FORMAT_GRAY:
      break;
    case MK_FORMAT_RGB:
    case MK_FORMAT_BGR:
      pixel_bytes = 3;
      break;
    case MK_FORMAT_RGBA:
    case MK_FORMAT_BGRA:
      pixel_bytes = 4;
      break;
    default:
      return MK_ERROR_FORMAT;
  }
  int32_t status =
      check_plane(image->plane[0], image->plane_bytes[0], image->row_stride[0], width * pixel_bytes, height);
  if (status != MK_OK || image->format != MK_FORMAT_YUV420) return status;

  const int64_t step = image->chroma_pixel_stride;
  if (step != 1 && step != 2) return MK_ERROR_PIXEL_STRIDE;
  const int64_t chroma_width = (width + 1) / 2, chroma_height = (height + 1) / 2;
  for (int p = 1; p <= 2 && status == MK_OK; ++p) {
    status = check_plane(image->plane[p], image->plane_bytes[p], image->row_stride[p], (chroma_width - 1) * step + 1,
                         chroma_height);
  }
  return status;
}
