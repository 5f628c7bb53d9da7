// The row primitives that one instruction set provides, and what the driver of preprocess.cc needs to know of them.
// Each is small enough to be read beside its scalar twin in preprocess_scalar.cc, which is the definition.
#ifndef MOBILEKIT_SRC_ROW_OPS_H_
#define MOBILEKIT_SRC_ROW_OPS_H_

#include <stddef.h>
#include <stdint.h>

#include "target.h"

namespace mobilekit {

// Rows of the picture that are converted before they are stored: 16 byte-columns make one 16x16 byte transpose, and 16
// rows of 3 x 640 bytes (30 KB) still fit the first-level cache.
inline constexpr int kBandRows = 16;

// Counts of taps and levels are padded to this: one AVX-512 register of bytes.
inline constexpr int kPad = 64;

// Vector code may read (never write) this many bytes past the last sample of a scratch row: a window of two registers.
inline constexpr int kOverread = 128;

inline constexpr int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

// Where the columns of the picture come from: sample `i` blends row[index[i]] and row[index[i] + step] with weight[i] / 128
// for the second. `step` is 1 for a plane and 2 for interleaved chroma (whose second component is one byte further).
// Arrays hold `padded` = round_up(count, kPad) entries; those past count repeat the last one.
struct Taps {
  int count = 0;
  int padded = 0;
  int step = 1;
  const int32_t* index = nullptr;
  const uint8_t* weight = nullptr;
  void* prepared = nullptr;  // tables of the instruction set, filled by prepare_taps
};

// The columns of a filter that averages: sample i is the sum of row[first[i] + k] * weights[i * stride + k] / 2^14 over k < stride.
// Holds `padded` samples; weights past the range of a sample are 0, and `stride` is a multiple of kWeightBlock.
struct WeightedTaps {
  int padded;
  int stride;
  const int32_t* first;
  const int16_t* weights;
};

inline constexpr int kWeightBlock = 16;

// Y'CbCr -> R'G'B' in Q15. Y: y + y * luma; R: + 2 v + v * red; G: + u * green_u + v * green_v; B: + 2 u + u * blue. The whole parts (1 and
// 2) are split off because Q15 ends below 1.
struct Matrix {
  int16_t luma_offset;  // 64 * level
  int16_t luma, red, green_u, green_v, blue;
};

enum ElementType { kInt8, kUint8, kFloat32, kInt16, kFloat16, kElementTypes };

inline constexpr int element_bytes(int type) {
  return type == kFloat32 ? 4 : type == kInt16 || type == kFloat16 ? 2 : 1;
}

struct RowOps {
  // dst[i] = (a[i] * (128 - weight) + b[i] * weight + 64) >> 7. Prefetches next_a and next_b (never null) on the way: the
  // rows needed are several rows apart, which no hardware prefetcher guesses. b is not read when weight is 0.
  void (*blend_rows)(uint8_t* dst, const uint8_t* a, const uint8_t* b, int64_t n, int weight, const uint8_t* next_a,
                     const uint8_t* next_b);

  // dst[2 i] = u[i * step], dst[2 i + 1] = v[i * step].
  void (*interleave_chroma)(uint8_t* dst, const uint8_t* u, const uint8_t* v, int64_t n, int step);

  // plane[c][i] = src[pixel_bytes * i + c], c < 3, pixel_bytes 3 or 4.
  void (*split_pixels)(uint8_t* const plane[3], const uint8_t* src, int64_t n, int pixel_bytes);

  // Bytes for the tables of `padded` taps, and the function that fills them (both null where none are needed).
  int64_t (*prepared_bytes)(int padded);
  void (*prepare_taps)(Taps* taps);

  // dst[i] = 64 * level of tap i. Writes taps.padded entries.
  void (*sample)(int16_t* dst, const uint8_t* row, const Taps& taps);
  // The same for two interleaved components.
  void (*sample_pairs)(int16_t* first, int16_t* second, const uint8_t* row, const Taps& taps);

  // dst[i] = clamp((sum of first[k * stride + i] * weights[k], k < count, + 2^13) >> 14) to a byte.
  void (*weigh_rows)(uint8_t* dst, const uint8_t* first, int64_t stride, int64_t n, const int16_t* weights, int count);
  // dst[i] = 64 * level of sample i, clamped.
  void (*weigh_columns)(int16_t* dst, const uint8_t* row, const WeightedTaps& taps);
  // a[i] = src[2 i], b[i] = src[2 i + 1].
  void (*split_pairs)(uint8_t* a, uint8_t* b, const uint8_t* src, int64_t n);

  // In place on 64 * level, n a multiple of kPad: (y, u, v) -> (r, g, b), clamped to 0 .. 64 * 255.
  void (*yuv_to_rgb)(int16_t* y_r, int16_t* u_g, int16_t* v_b, int n, const Matrix& matrix);
  // y -> gray level; (r, g, b) -> gray level in r.
  void (*luma_to_gray)(int16_t* y, int n, const Matrix& matrix);
  void (*rgb_to_gray)(int16_t* r, const int16_t* g, const int16_t* b, int n);

  // dst[i] = src[i] * multiply + add as the element type; multiply already holds the 1/64. Writes n elements, reads
  // round_up(n, kPad).
  void (*convert[kElementTypes])(void* dst, const int16_t* src, int n, float multiply, float add);

  // Planar -> interleaved, 3 channels of n elements of `bytes` (1, 2 or 4).
  void (*join3)(void* dst, const void* const plane[3], int n, int bytes);

  // Columns of a band become rows of the output: out[j][i][c] = plane[c][i][j] for j < columns and i < rows <= kBandRows.
  // plane_stride: bytes between the rows of a plane; out_stride: bytes between the rows of the output. channels 1 or 3.
  void (*transpose)(void* dst, int64_t out_stride, const void* const plane[3], int64_t plane_stride, int columns,
                    int rows, int channels, int bytes);
};

extern const RowOps kRowOpsScalar;

// The scalar primitives, so that a vector version can name one for what does not pay in vectors.
namespace scalar {
void blend_rows(uint8_t* dst, const uint8_t* a, const uint8_t* b, int64_t n, int weight, const uint8_t* next_a,
                const uint8_t* next_b);
void interleave_chroma(uint8_t* dst, const uint8_t* u, const uint8_t* v, int64_t n, int step);
void split_pixels(uint8_t* const plane[3], const uint8_t* src, int64_t n, int pixel_bytes);
void sample(int16_t* dst, const uint8_t* row, const Taps& taps);
void sample_pairs(int16_t* first, int16_t* second, const uint8_t* row, const Taps& taps);
void weigh_rows(uint8_t* dst, const uint8_t* first, int64_t stride, int64_t n, const int16_t* weights, int count);
void weigh_columns(int16_t* dst, const uint8_t* row, const WeightedTaps& taps);
void split_pairs(uint8_t* a, uint8_t* b, const uint8_t* src, int64_t n);
void yuv_to_rgb(int16_t* y_r, int16_t* u_g, int16_t* v_b, int n, const Matrix& matrix);
void luma_to_gray(int16_t* y, int n, const Matrix& matrix);
void rgb_to_gray(int16_t* r, const int16_t* g, const int16_t* b, int n);
void convert_i8(void* dst, const int16_t* src, int n, float multiply, float add);
void convert_u8(void* dst, const int16_t* src, int n, float multiply, float add);
void convert_f32(void* dst, const int16_t* src, int n, float multiply, float add);
void convert_i16(void* dst, const int16_t* src, int n, float multiply, float add);
void convert_f16(void* dst, const int16_t* src, int n, float multiply, float add);
void join3(void* dst, const void* const plane[3], int n, int bytes);
void transpose(void* dst, int64_t out_stride, const void* const plane[3], int64_t plane_stride, int columns, int rows,
               int channels, int bytes);
}  // namespace scalar

#if MK_HAVE_AVX2
extern const RowOps kRowOpsAvx2;
#endif

const RowOps* row_ops_avx2();    // null where the build has no such version
const RowOps* row_ops_avx512();
const RowOps* row_ops_neon();

const RowOps& row_ops();  // of the instruction set in use

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_ROW_OPS_H_
