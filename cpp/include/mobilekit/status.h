// Status codes of every mobilekit kernel. A kernel returns MK_OK or the first problem that it found; nothing has been
// written to the output when the status is not MK_OK, because every argument is checked before the first pixel.
#ifndef MOBILEKIT_STATUS_H_
#define MOBILEKIT_STATUS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mk_status {
  MK_OK = 0,
  MK_ERROR_NULL_POINTER = 1,    // a pointer that the call needs is null
  MK_ERROR_SIZE = 2,            // a width, height or count is below 1 or above MK_MAX_SIZE
  MK_ERROR_FORMAT = 3,          // no such pixel format
  MK_ERROR_ROW_STRIDE = 4,      // rows overlap, or a stride is negative
  MK_ERROR_PIXEL_STRIDE = 5,    // chroma pixel stride is neither 1 nor 2
  MK_ERROR_BUFFER_TOO_SMALL = 6,  // strides and sizes run past the end of a buffer
  MK_ERROR_CROP = 7,            // the crop is empty, not finite, or leaves the image
  MK_ERROR_ROTATION = 8,        // not 0, 90, 180 or 270
  MK_ERROR_FILTER = 9,          // no such filter, or more than 256 pixels a sample for one that averages
  MK_ERROR_COLOR = 10,          // no such colour matrix
  MK_ERROR_DTYPE = 11,          // no such output type
  MK_ERROR_LAYOUT = 12,         // no such output layout
  MK_ERROR_CHANNELS = 13,       // no such channel order
  MK_ERROR_NORMALIZATION = 14,  // multiply or add is not finite, or would leave the range of int32
  MK_ERROR_SCRATCH = 15,        // scratch is missing or smaller than *_scratch_bytes said
  MK_ERROR_RANGE = 16,          // a part range, rectangle or k that does not fit
  MK_ERROR_ALIGNMENT = 17,      // a pointer is not aligned to its element
  MK_ERROR_OVERLAP = 18,        // the output overlaps an input
  MK_ERROR_ISA = 19,            // this processor (or this build) has no such instruction set
  MK_ERROR_THRESHOLD = 20       // a threshold is not a number in [0, 1]
} mk_status;

// Largest width, height or count: keeps every product of two sizes and an element size inside int64.
#define MK_MAX_SIZE (1 << 24)

// "MK_ERROR_CROP" for MK_ERROR_CROP; "MK_ERROR_UNKNOWN" for a number that is no status. Never null.
const char* mk_status_name(int32_t status);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_STATUS_H_
