// The definition of every row primitive, written to be read. The vector versions must give the same bytes.
#include <string.h>

#include "row_ops.h"

namespace mobilekit {
namespace scalar {
namespace {

constexpr int kLevelMax = 64 * 255;

int16_t saturate_i16(int32_t x) {
  return static_cast<int16_t>(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
}

int16_t clamp_level(int32_t x) { return static_cast<int16_t>(x < 0 ? 0 : x > kLevelMax ? kLevelMax : x); }

// Rounded Q15 product: pmulhrsw on x86, sqrdmulh on Arm.
int16_t multiply_q15(int16_t a, int16_t b) { return static_cast<int16_t>((int32_t{a} * b + 0x4000) >> 15); }

}  // namespace

void blend_rows(uint8_t* dst, const uint8_t* a, const uint8_t* b, int64_t n, int weight, const uint8_t*,
                const uint8_t*) {
  if (weight == 0) {
    memcpy(dst, a, static_cast<size_t>(n));
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    dst[i] = static_cast<uint8_t>((a[i] * (128 - weight) + b[i] * weight + 64) >> 7);
  }
}

void interleave_chroma(uint8_t* dst, const uint8_t* u, const uint8_t* v, int64_t n, int step) {
  for (int64_t i = 0; i < n; ++i) {
    dst[2 * i] = u[i * step];
    dst[2 * i + 1] = v[i * step];
  }
}

void split_pixels(uint8_t* const plane[3], const uint8_t* src, int64_t n, int pixel_bytes) {
  for (int64_t i = 0; i < n; ++i) {
    for (int c = 0; c < 3; ++c) plane[c][i] = src[i * pixel_bytes + c];
  }
}

static int16_t blend_columns(uint8_t a, uint8_t b, int weight) {
  return static_cast<int16_t>((a * (128 - weight) + b * weight + 1) >> 1);
}

void sample(int16_t* dst, const uint8_t* row, const Taps& taps) {
  for (int i = 0; i < taps.padded; ++i) {
    const uint8_t* at = row + taps.index[i];
    dst[i] = blend_columns(at[0], at[1], taps.weight[i]);
  }
}

void sample_pairs(int16_t* first, int16_t* second, const uint8_t* row, const Taps& taps) {
  for (int i = 0; i < taps.padded; ++i) {
    const uint8_t* at = row + taps.index[i];
    first[i] = blend_columns(at[0], at[2], taps.weight[i]);
    second[i] = blend_columns(at[1], at[3], taps.weight[i]);
  }
}

void weigh_rows(uint8_t* dst, const uint8_t* first, int64_t stride, int64_t n, const int16_t* weights, int count) {
  for (int64_t i = 0; i < n; ++i) {
    int32_t sum = 1 << 13;
    for (int k = 0; k < count; ++k) sum += first[k * stride + i] * weights[k];
    const int32_t level = sum >> 14;
    dst[i] = static_cast<uint8_t>(level < 0 ? 0 : level > 255 ? 255 : level);
  }
}

void weigh_columns(int16_t* dst, const uint8_t* row, const WeightedTaps& taps) {
  for (int i = 0; i < taps.padded; ++i) {
    const int16_t* const weights = taps.weights + int64_t{i} * taps.stride;
    int32_t sum = 1 << 7;
    for (int k = 0; k < taps.stride; ++k) sum += row[taps.first[i] + k] * weights[k];
    dst[i] = clamp_level(sum >> 8);
  }
}

void split_pairs(uint8_t* a, uint8_t* b, const uint8_t* src, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    a[i] = src[2 * i];
    b[i] = src[2 * i + 1];
  }
}

void yuv_to_rgb(int16_t* y_r, int16_t* u_g, int16_t* v_b, int n, const Matrix& m) {
  for (int i = 0; i < n; ++i) {
    const int16_t y0 = static_cast<int16_t>(y_r[i] - m.luma_offset);
    const int16_t u = static_cast<int16_t>(u_g[i] - 64 * 128);
    const int16_t v = static_cast<int16_t>(v_b[i] - 64 * 128);
    const int32_t y = y0 + multiply_q15(y0, m.luma);  // at most 1.17 * 64 * 255: inside int16
    y_r[i] = clamp_level(saturate_i16(y + 2 * v + multiply_q15(v, m.red)));
    u_g[i] = clamp_level(saturate_i16(y + multiply_q15(u, m.green_u) + multiply_q15(v, m.green_v)));
    v_b[i] = clamp_level(saturate_i16(y + 2 * u + multiply_q15(u, m.blue)));
  }
}

void luma_to_gray(int16_t* y, int n, const Matrix& m) {
  for (int i = 0; i < n; ++i) {
    const int16_t y0 = static_cast<int16_t>(y[i] - m.luma_offset);
    y[i] = clamp_level(y0 + multiply_q15(y0, m.luma));
  }
}

void rgb_to_gray(int16_t* r, const int16_t* g, const int16_t* b, int n) {
  for (int i = 0; i < n; ++i) {  // 9798 + 19235 + 3735 = 32768: white stays white
    r[i] = clamp_level(multiply_q15(r[i], 9798) + multiply_q15(g[i], 19235) + multiply_q15(b[i], 3735));
  }
}

// Rounds half to even, |x| < 2^22: adding 1.5 * 2^23 leaves no bits for a fraction. No libm, no rounding mode to set.
static int32_t round_half_even(float x) {
  const float shifted = x + 12582912.0f;
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  return static_cast<int32_t>(bits - 0x4B400000u);
}

static float affine(int16_t x, float multiply, float add) {
  const float product = static_cast<float>(x) * multiply;  // two roundings: built with -ffp-contract=off
  return product + add;
}

template <typename T>
static void convert_integer(void* dst, const int16_t* src, int n, float multiply, float add, float low, float high) {
  T* out = static_cast<T*>(dst);
  for (int i = 0; i < n; ++i) {
    const float x = affine(src[i], multiply, add);
    out[i] = static_cast<T>(round_half_even(x < low ? low : x > high ? high : x));
  }
}

void convert_i8(void* dst, const int16_t* src, int n, float multiply, float add) {
  convert_integer<int8_t>(dst, src, n, multiply, add, -128.0f, 127.0f);
}

void convert_u8(void* dst, const int16_t* src, int n, float multiply, float add) {
  convert_integer<uint8_t>(dst, src, n, multiply, add, 0.0f, 255.0f);
}

void convert_i16(void* dst, const int16_t* src, int n, float multiply, float add) {
  convert_integer<int16_t>(dst, src, n, multiply, add, -32768.0f, 32767.0f);
}

void convert_f32(void* dst, const int16_t* src, int n, float multiply, float add) {
  float* out = static_cast<float*>(dst);
  for (int i = 0; i < n; ++i) out[i] = affine(src[i], multiply, add);
}

// float32 -> IEEE half, round half to even, overflow to infinity, as vcvtps2ph and Arm's fcvtn do. No NaN comes here.
static uint16_t to_half(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7C00u);  // 65536 and above
  if (magnitude < 0x38800000u) {  // below 2^-14, a half subnormal: let the adder round to a multiple of 2^-24
    float value;
    memcpy(&value, &magnitude, sizeof value);
    value += 0.5f;  // one unit in the last place of 0.5 is 2^-24
    uint32_t rounded;
    memcpy(&rounded, &value, sizeof rounded);
    return static_cast<uint16_t>(sign | (rounded - 0x3F000000u));
  }
  // Rebias the exponent (127 -> 15) and round away 13 bits of the fraction; a carry into the exponent is right.
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xFFFu + odd) >> 13));
}

void convert_f16(void* dst, const int16_t* src, int n, float multiply, float add) {
  uint16_t* out = static_cast<uint16_t*>(dst);
  for (int i = 0; i < n; ++i) out[i] = to_half(affine(src[i], multiply, add));
}

template <typename T>
static void join3_of(void* dst, const void* const plane[3], int n) {
  T* out = static_cast<T*>(dst);
  for (int i = 0; i < n; ++i) {
    for (int c = 0; c < 3; ++c) out[3 * i + c] = static_cast<const T*>(plane[c])[i];
  }
}

void join3(void* dst, const void* const plane[3], int n, int bytes) {
  if (bytes == 1) join3_of<uint8_t>(dst, plane, n);
  if (bytes == 2) join3_of<uint16_t>(dst, plane, n);
  if (bytes == 4) join3_of<uint32_t>(dst, plane, n);
}

template <typename T>
static void transpose_of(void* dst, int64_t out_stride, const void* const plane[3], int64_t plane_stride, int columns,
                  int rows, int channels) {
  for (int j = 0; j < columns; ++j) {
    T* out = reinterpret_cast<T*>(static_cast<uint8_t*>(dst) + j * out_stride);
    for (int i = 0; i < rows; ++i) {
      for (int c = 0; c < channels; ++c) {
        const uint8_t* line = static_cast<const uint8_t*>(plane[c]) + i * plane_stride;
        *out++ = reinterpret_cast<const T*>(line)[j];
      }
    }
  }
}

void transpose(void* dst, int64_t out_stride, const void* const plane[3], int64_t plane_stride, int columns, int rows,
               int channels, int bytes) {
  if (bytes == 1) transpose_of<uint8_t>(dst, out_stride, plane, plane_stride, columns, rows, channels);
  if (bytes == 2) transpose_of<uint16_t>(dst, out_stride, plane, plane_stride, columns, rows, channels);
  if (bytes == 4) transpose_of<uint32_t>(dst, out_stride, plane, plane_stride, columns, rows, channels);
}

}  // namespace scalar

const RowOps kRowOpsScalar = {
    scalar::blend_rows,
    scalar::interleave_chroma,
    scalar::split_pixels,
    nullptr,
    nullptr,
    scalar::sample,
    scalar::sample_pairs,
    scalar::weigh_rows,
    scalar::weigh_columns,
    scalar::split_pairs,
    scalar::yuv_to_rgb,
    scalar::luma_to_gray,
    scalar::rgb_to_gray,
    {scalar::convert_i8, scalar::convert_u8, scalar::convert_f32, scalar::convert_i16, scalar::convert_f16},
    scalar::join3,
    scalar::transpose,
};

}  // namespace mobilekit
