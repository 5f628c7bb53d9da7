// NEON row primitives for AArch64. The scalar file defines what they compute; the comments here say only how.
#include "row_ops.h"
#include "target.h"

#if MK_HAVE_NEON
#include <arm_neon.h>
#include <string.h>

namespace mobilekit {
namespace {

void blend_rows(uint8_t* dst, const uint8_t* a, const uint8_t* b, int64_t n, int weight, const uint8_t* next_a,
                const uint8_t* next_b) {
  if (weight == 0 || n < 16) {
    scalar::blend_rows(dst, a, b, n, weight, next_a, next_b);
    return;
  }
  const uint8x8_t wa = vdup_n_u8(static_cast<uint8_t>(128 - weight)), wb = vdup_n_u8(static_cast<uint8_t>(weight));
  const auto blend16 = [wa, wb](const uint8_t* pa, const uint8_t* pb) {
    const uint8x16_t x = vld1q_u8(pa), y = vld1q_u8(pb);
    const uint16x8_t low = vmlal_u8(vmull_u8(vget_low_u8(x), wa), vget_low_u8(y), wb);
    const uint16x8_t high = vmlal_u8(vmull_u8(vget_high_u8(x), wa), vget_high_u8(y), wb);
    return vcombine_u8(vrshrn_n_u16(low, 7), vrshrn_n_u16(high, 7));
  };
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    __builtin_prefetch(next_a + i);
    __builtin_prefetch(next_b + i);
    for (int k = 0; k < 64; k += 16) vst1q_u8(dst + i + k, blend16(a + i + k, b + i + k));
  }
  for (; i + 16 <= n; i += 16) vst1q_u8(dst + i, blend16(a + i, b + i));
  // The last 16 bytes again: dst is no input, so writing a byte twice is harmless.
  if (i < n) vst1q_u8(dst + n - 16, blend16(a + n - 16, b + n - 16));
}

void interleave_chroma(uint8_t* dst, const uint8_t* u, const uint8_t* v, int64_t n, int step) {
  int64_t i = 0;
  if (step == 1) {
    for (; i + 16 <= n; i += 16) vst2q_u8(dst + 2 * i, (uint8x16x2_t{{vld1q_u8(u + i), vld1q_u8(v + i)}}));
  }
  scalar::interleave_chroma(dst + 2 * i, u + i * step, v + i * step, n - i, step);
}

void split_pixels(uint8_t* const plane[3], const uint8_t* src, int64_t n, int pixel_bytes) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    uint8x16_t channel[3];
    if (pixel_bytes == 4) {
      const uint8x16x4_t x = vld4q_u8(src + 4 * i);
      for (int c = 0; c < 3; ++c) channel[c] = x.val[c];
    } else {
      const uint8x16x3_t x = vld3q_u8(src + 3 * i);
      for (int c = 0; c < 3; ++c) channel[c] = x.val[c];
    }
    for (int c = 0; c < 3; ++c) vst1q_u8(plane[c] + i, channel[c]);
  }
  uint8_t* const rest[3] = {plane[0] + i, plane[1] + i, plane[2] + i};
  scalar::split_pixels(rest, src + pixel_bytes * i, n - i, pixel_bytes);
}

// ---- Horizontal sampling: 8 samples at a time ----------------------------------------------------------------------
// A table lookup takes both taps of 8 samples out of a window of 32 bytes (pitch up to about 4) or 64 bytes (up to 8), or out of
// two windows of 64 bytes, one for each 4 samples (up to 20). Beyond that there is nothing to share: scalar.
// Tables for 8 samples: int32 start[2], the second for samples 4 .. 7; uint8 index[16], first taps then second taps,
// those of samples 4 .. 7 plus 64 where they have a window of their own; uint8 weight[8] of the second taps.
enum Window { kWindow32, kWindow64, kTwoWindows64, kNoWindow };

struct Prepared {
  Window window;
  uint8_t* tables;
};

constexpr int kGroup = 8;
constexpr int64_t kHeaderBytes = 64;
constexpr int64_t kGroupBytes = 32;

int64_t prepared_bytes(int padded) { return kHeaderBytes + padded / kGroup * kGroupBytes; }

int lowest(const Taps& taps, int first, int count) {
  int low = taps.index[first];
  for (int i = first + 1; i < first + count; ++i) low = taps.index[i] < low ? taps.index[i] : low;
  return low;
}

bool fits(const Taps& taps, int count, int bytes) {
  for (int first = 0; first < taps.padded; first += count) {
    const int low = lowest(taps, first, count);
    for (int i = first; i < first + count; ++i) {
      // A tap of interleaved chroma is read at +1 and +3 too.
      if (taps.index[i] - low + 2 * taps.step > bytes) return false;
    }
  }
  return true;
}

void prepare_taps(Taps* taps) {
  Prepared* const prepared = static_cast<Prepared*>(taps->prepared);
  prepared->window = fits(*taps, 8, 32)   ? kWindow32
                     : fits(*taps, 8, 64) ? kWindow64
                     : fits(*taps, 4, 64) ? kTwoWindows64
                                          : kNoWindow;
  prepared->tables = static_cast<uint8_t*>(taps->prepared) + kHeaderBytes;
  if (prepared->window == kNoWindow) return;
  uint8_t* table = prepared->tables;
  for (int first = 0; first < taps->padded; first += kGroup, table += kGroupBytes) {
    int32_t* const start = reinterpret_cast<int32_t*>(table);
    uint8_t* const index = table + 8;
    uint8_t* const weight = table + 24;
    const bool two = prepared->window == kTwoWindows64;
    start[0] = lowest(*taps, first, two ? 4 : 8);
    start[1] = two ? lowest(*taps, first + 4, 4) : start[0];
    for (int i = 0; i < kGroup; ++i) {
      const int byte = taps->index[first + i] - start[i / 4] + (two && i >= 4 ? 64 : 0);
      index[i] = static_cast<uint8_t>(byte);
      index[8 + i] = static_cast<uint8_t>(byte + taps->step);
      weight[i] = taps->weight[first + i];
    }
  }
}

uint8x16x4_t load64(const uint8_t* p) { return {{vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}}; }

int16x8_t blend_columns(uint8x16_t pairs, uint8x8_t weight) {
  const uint8x8_t other = vsub_u8(vdup_n_u8(128), weight);
  const uint16x8_t sum = vmlal_u8(vmull_u8(vget_low_u8(pairs), other), vget_high_u8(pairs), weight);
  return vreinterpretq_s16_u16(vrshrq_n_u16(sum, 1));
}

template <Window Kind, int Components>
inline void sample_windows(int16_t* const dst[Components], const uint8_t* row, const Taps& taps) {
  const uint8_t* table = static_cast<const Prepared*>(taps.prepared)->tables;
  for (int i = 0; i < taps.padded; i += kGroup, table += kGroupBytes) {
    const int32_t* const start = reinterpret_cast<const int32_t*>(table);
    uint8x16_t index = vld1q_u8(table + 8);
    const uint8x8_t weight = vld1_u8(table + 24);
    const uint8_t* const at = row + start[0];
    for (int c = 0; c < Components; ++c) {
      uint8x16_t pairs;
      if (Kind == kWindow32) {
        pairs = vqtbl2q_u8({{vld1q_u8(at), vld1q_u8(at + 16)}}, index);
      } else {
        pairs = vqtbl4q_u8(load64(at), index);
        if (Kind == kTwoWindows64) {
          // Lookups past 63 gave 0; the extension keeps those of the first window and looks up the others, less 64.
          pairs = vqtbx4q_u8(pairs, load64(row + start[1]), vsubq_u8(index, vdupq_n_u8(64)));
        }
      }
      vst1q_s16(dst[c] + i, blend_columns(pairs, weight));
      index = vaddq_u8(index, vdupq_n_u8(1));
    }
  }
}

template <int Components>
inline void sample_any(int16_t* const dst[Components], const uint8_t* row, const Taps& taps) {
  switch (static_cast<const Prepared*>(taps.prepared)->window) {
    case kWindow32:
      return sample_windows<kWindow32, Components>(dst, row, taps);
    case kWindow64:
      return sample_windows<kWindow64, Components>(dst, row, taps);
    case kTwoWindows64:
      return sample_windows<kTwoWindows64, Components>(dst, row, taps);
    default:
      if (Components == 1) return scalar::sample(dst[0], row, taps);
      return scalar::sample_pairs(dst[0], dst[Components - 1], row, taps);
  }
}

void sample(int16_t* dst, const uint8_t* row, const Taps& taps) {
  int16_t* const planes[1] = {dst};
  sample_any<1>(planes, row, taps);
}

void sample_pairs(int16_t* first, int16_t* second, const uint8_t* row, const Taps& taps) {
  int16_t* const planes[2] = {first, second};
  sample_any<2>(planes, row, taps);
}

// ---- Filters that average ------------------------------------------------------------------------------------------

void weigh_rows(uint8_t* dst, const uint8_t* first, int64_t stride, int64_t n, const int16_t* weights, int count) {
  if (n < 16) {
    scalar::weigh_rows(dst, first, stride, n, weights, count);
    return;
  }
  for (int64_t i = 0; i < n; i += 16) {
    if (i + 16 > n) i = n - 16;  // the last 16 again; dst is no input
    int32x4_t sum[4];
    for (int32x4_t& part : sum) part = vdupq_n_s32(1 << 13);
    for (int k = 0; k < count; ++k) {
      const uint8x16_t row = vld1q_u8(first + k * stride + i);
      const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(row)));
      const int16x8_t high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(row)));
      sum[0] = vmlal_n_s16(sum[0], vget_low_s16(low), weights[k]);
      sum[1] = vmlal_n_s16(sum[1], vget_high_s16(low), weights[k]);
      sum[2] = vmlal_n_s16(sum[2], vget_low_s16(high), weights[k]);
      sum[3] = vmlal_n_s16(sum[3], vget_high_s16(high), weights[k]);
    }
    for (int32x4_t& part : sum) part = vshrq_n_s32(part, 14);
    const int16x8_t low = vcombine_s16(vqmovn_s32(sum[0]), vqmovn_s32(sum[1]));
    const int16x8_t high = vcombine_s16(vqmovn_s32(sum[2]), vqmovn_s32(sum[3]));
    vst1q_u8(dst + i, vcombine_u8(vqmovun_s16(low), vqmovun_s16(high)));
  }
}

void weigh_columns(int16_t* dst, const uint8_t* row, const WeightedTaps& taps) {
  for (int i = 0; i < taps.padded; ++i) {
    const uint8_t* const pixels = row + taps.first[i];
    const int16_t* const weights = taps.weights + int64_t{i} * taps.stride;
    int32x4_t sum = vdupq_n_s32(0);
    for (int k = 0; k < taps.stride; k += 8) {
      const int16x8_t x = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(pixels + k))), w = vld1q_s16(weights + k);
      sum = vmlal_s16(sum, vget_low_s16(x), vget_low_s16(w));
      sum = vmlal_high_s16(sum, x, w);
    }
    const int32_t level = (vaddvq_s32(sum) + (1 << 7)) >> 8;
    dst[i] = static_cast<int16_t>(level < 0 ? 0 : level > 64 * 255 ? 64 * 255 : level);
  }
}

void split_pairs(uint8_t* a, uint8_t* b, const uint8_t* src, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const uint8x16x2_t x = vld2q_u8(src + 2 * i);
    vst1q_u8(a + i, x.val[0]);
    vst1q_u8(b + i, x.val[1]);
  }
  scalar::split_pairs(a + i, b + i, src + 2 * i, n - i);
}

// ---- Colour --------------------------------------------------------------------------------------------------------

int16x8_t clamp_level(int16x8_t x) { return vminq_s16(vmaxq_s16(x, vdupq_n_s16(0)), vdupq_n_s16(64 * 255)); }

void yuv_to_rgb(int16_t* y_r, int16_t* u_g, int16_t* v_b, int n, const Matrix& m) {
  const int16x8_t offset = vdupq_n_s16(m.luma_offset), middle = vdupq_n_s16(64 * 128);
  for (int i = 0; i < n; i += 8) {
    const int16x8_t y0 = vsubq_s16(vld1q_s16(y_r + i), offset);
    const int16x8_t u = vsubq_s16(vld1q_s16(u_g + i), middle);
    const int16x8_t v = vsubq_s16(vld1q_s16(v_b + i), middle);
    const int16x8_t y = vaddq_s16(y0, vqrdmulhq_n_s16(y0, m.luma));
    const int16x8_t r = vaddq_s16(vaddq_s16(v, v), vqrdmulhq_n_s16(v, m.red));
    const int16x8_t g = vaddq_s16(vqrdmulhq_n_s16(u, m.green_u), vqrdmulhq_n_s16(v, m.green_v));
    const int16x8_t b = vaddq_s16(vaddq_s16(u, u), vqrdmulhq_n_s16(u, m.blue));
    vst1q_s16(y_r + i, clamp_level(vqaddq_s16(y, r)));
    vst1q_s16(u_g + i, clamp_level(vqaddq_s16(y, g)));
    vst1q_s16(v_b + i, clamp_level(vqaddq_s16(y, b)));
  }
}

void luma_to_gray(int16_t* y, int n, const Matrix& m) {
  for (int i = 0; i < n; i += 8) {
    const int16x8_t y0 = vsubq_s16(vld1q_s16(y + i), vdupq_n_s16(m.luma_offset));
    vst1q_s16(y + i, clamp_level(vaddq_s16(y0, vqrdmulhq_n_s16(y0, m.luma))));
  }
}

void rgb_to_gray(int16_t* r, const int16_t* g, const int16_t* b, int n) {
  for (int i = 0; i < n; i += 8) {
    const int16x8_t rg = vaddq_s16(vqrdmulhq_n_s16(vld1q_s16(r + i), 9798), vqrdmulhq_n_s16(vld1q_s16(g + i), 19235));
    vst1q_s16(r + i, clamp_level(vaddq_s16(rg, vqrdmulhq_n_s16(vld1q_s16(b + i), 3735))));
  }
}

// ---- Normalise and quantise ----------------------------------------------------------------------------------------

struct Affine8 {
  float32x4_t low, high;
};

// Multiply and add stay two operations: a fused one would round once and give other bits than x86.
inline Affine8 affine8(const int16_t* src, float multiply, float add) {
  const int16x8_t x = vld1q_s16(src);
  const float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(x)));
  const float32x4_t high = vcvtq_f32_s32(vmovl_s16(vget_high_s16(x)));
  return {vaddq_f32(vmulq_n_f32(low, multiply), vdupq_n_f32(add)),
          vaddq_f32(vmulq_n_f32(high, multiply), vdupq_n_f32(add))};
}

inline int16x8_t affine8_i16(const int16_t* src, float multiply, float add) {
  const Affine8 x = affine8(src, multiply, add);
  return vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(x.low)), vqmovn_s32(vcvtnq_s32_f32(x.high)));
}

// `block` writes 8 elements; the last, incomplete block goes through the stack because dst ends at n.
template <int Bytes, typename Block>
inline void in_blocks(void* dst, const int16_t* src, int n, Block block) {
  uint8_t* const out = static_cast<uint8_t*>(dst);
  int i = 0;
  for (; i + 8 <= n; i += 8) block(out + int64_t{i} * Bytes, src + i);
  if (i < n) {
    alignas(16) uint8_t last[8 * Bytes];
    block(last, src + i);
    memcpy(out + int64_t{i} * Bytes, last, static_cast<size_t>((n - i) * Bytes));
  }
}

void convert_i8(void* dst, const int16_t* src, int n, float multiply, float add) {
  in_blocks<1>(dst, src, n, [=](uint8_t* out, const int16_t* in) {
    vst1_u8(out, vreinterpret_u8_s8(vqmovn_s16(affine8_i16(in, multiply, add))));
  });
}

void convert_u8(void* dst, const int16_t* src, int n, float multiply, float add) {
  in_blocks<1>(dst, src, n,
               [=](uint8_t* out, const int16_t* in) { vst1_u8(out, vqmovun_s16(affine8_i16(in, multiply, add))); });
}

void convert_i16(void* dst, const int16_t* src, int n, float multiply, float add) {
  in_blocks<2>(dst, src, n, [=](uint8_t* out, const int16_t* in) {
    vst1q_u8(out, vreinterpretq_u8_s16(affine8_i16(in, multiply, add)));
  });
}

void convert_f32(void* dst, const int16_t* src, int n, float multiply, float add) {
  in_blocks<4>(dst, src, n, [=](uint8_t* out, const int16_t* in) {
    const Affine8 x = affine8(in, multiply, add);
    vst1q_u8(out, vreinterpretq_u8_f32(x.low));
    vst1q_u8(out + 16, vreinterpretq_u8_f32(x.high));
  });
}

void convert_f16(void* dst, const int16_t* src, int n, float multiply, float add) {
  in_blocks<2>(dst, src, n, [=](uint8_t* out, const int16_t* in) {
    const Affine8 x = affine8(in, multiply, add);
    vst1_u8(out, vreinterpret_u8_f16(vcvt_f16_f32(x.low)));
    vst1_u8(out + 8, vreinterpret_u8_f16(vcvt_f16_f32(x.high)));
  });
}

// ---- Storing -------------------------------------------------------------------------------------------------------

void join3(void* dst, const void* const plane[3], int n, int bytes) {
  int i = 0;
  if (bytes == 1) {
    for (; i + 16 <= n; i += 16) {
      uint8x16x3_t x;
      for (int c = 0; c < 3; ++c) x.val[c] = vld1q_u8(static_cast<const uint8_t*>(plane[c]) + i);
      vst3q_u8(static_cast<uint8_t*>(dst) + 3 * i, x);
    }
  } else if (bytes == 4) {
    for (; i + 4 <= n; i += 4) {
      uint32x4x3_t x;
      for (int c = 0; c < 3; ++c) x.val[c] = vld1q_u32(static_cast<const uint32_t*>(plane[c]) + i);
      vst3q_u32(static_cast<uint32_t*>(dst) + 3 * i, x);
    }
  }
  const void* rest[3];
  for (int c = 0; c < 3; ++c) rest[c] = static_cast<const uint8_t*>(plane[c]) + i * bytes;
  scalar::join3(static_cast<uint8_t*>(dst) + 3 * i * bytes, rest, n - i, bytes);
}

// Four rounds of interleaving rows i and i + 8; see transpose16 of the AVX2 file.
inline void transpose_block(uint8x16_t x[16], const uint8_t* plane, int64_t stride) {
  uint8x16_t y[16];
  for (int i = 0; i < 16; ++i) x[i] = vld1q_u8(plane + i * stride);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 8; ++i) {
      y[2 * i] = vzip1q_u8(x[i], x[i + 8]);
      y[2 * i + 1] = vzip2q_u8(x[i], x[i + 8]);
    }
    for (int i = 0; i < 16; ++i) x[i] = y[i];
  }
}

void transpose(void* dst, int64_t out_stride, const void* const plane[3], int64_t plane_stride, int columns, int rows,
               int channels, int bytes) {
  if (bytes != 1) {
    scalar::transpose(dst, out_stride, plane, plane_stride, columns, rows, channels, bytes);
    return;
  }
  for (int j = 0; j < columns; j += 16) {
    uint8x16_t x[3][16];
    for (int c = 0; c < channels; ++c) transpose_block(x[c], static_cast<const uint8_t*>(plane[c]) + j, plane_stride);
    for (int i = 0; i < 16 && j + i < columns; ++i) {
      uint8_t* const out = static_cast<uint8_t*>(dst) + (j + i) * out_stride;
      uint8_t line[48];
      uint8_t* const to = rows == kBandRows ? out : line;
      if (channels == 3) {
        vst3q_u8(to, (uint8x16x3_t{{x[0][i], x[1][i], x[2][i]}}));
      } else {
        vst1q_u8(to, x[0][i]);
      }
      if (to == line) memcpy(out, line, static_cast<size_t>(channels * rows));
    }
  }
}

constexpr RowOps kRowOpsNeon = {
    blend_rows,
    interleave_chroma,
    split_pixels,
    prepared_bytes,
    prepare_taps,
    sample,
    sample_pairs,
    weigh_rows,
    weigh_columns,
    split_pairs,
    yuv_to_rgb,
    luma_to_gray,
    rgb_to_gray,
    {convert_i8, convert_u8, convert_f32, convert_i16, convert_f16},
    join3,
    transpose,
};

}  // namespace

const RowOps* row_ops_neon() { return &kRowOpsNeon; }

}  // namespace mobilekit

#else

namespace mobilekit {
const RowOps* row_ops_neon() { return nullptr; }
}  // namespace mobilekit

#endif  // MK_HAVE_NEON
