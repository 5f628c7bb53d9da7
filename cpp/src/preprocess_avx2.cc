// AVX2 row primitives. The scalar file defines what they compute; the comments here say only how.
#include "target.h"

#include "row_ops.h"

#if MK_HAVE_AVX2
#include <immintrin.h>
#include <string.h>

MK_BEGIN_TARGET(MK_AVX2_FEATURES)

namespace mobilekit {
namespace {

__m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
__m128i load_half(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
void store(void* p, __m256i x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
void store_half(void* p, __m128i x) { _mm_storeu_si128(static_cast<__m128i*>(p), x); }
__m256i load_halves(const void* low, const void* high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_half(low)), load_half(high), 1);
}
void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

// (a * (128 - w) + b * w + 64) >> 7 of 32 bytes. Weights are negated because -128 fits a signed byte and 128 does not;
// multiplying the negative sum by -256 in pmulhrsw is then the rounded shift by 7.
__m256i blend32(__m256i a, __m256i b, __m256i negative_weights) {
  const __m256i shift = _mm256_set1_epi16(-256);
  const __m256i low = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), negative_weights);
  const __m256i high = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), negative_weights);
  return _mm256_packus_epi16(_mm256_mulhrs_epi16(low, shift), _mm256_mulhrs_epi16(high, shift));
}

void blend_rows(uint8_t* dst, const uint8_t* a, const uint8_t* b, int64_t n, int weight, const uint8_t* next_a,
                const uint8_t* next_b) {
  if (n < 32) {
    scalar::blend_rows(dst, a, b, n, weight, next_a, next_b);
    return;
  }
  if (weight == 0) {
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) {
      prefetch(next_a + i);
      prefetch(next_b + i);
      store(dst + i, load(a + i));
      store(dst + i + 32, load(a + i + 32));
    }
    for (; i + 32 <= n; i += 32) store(dst + i, load(a + i));
    store(dst + n - 32, load(a + n - 32));
    return;
  }
  // Bytes weight - 128 and -weight, modulo 256.
  const __m256i weights = _mm256_set1_epi16(static_cast<int16_t>(((256 - weight) << 8) | (weight + 128)));
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    prefetch(next_a + i);
    prefetch(next_b + i);
    store(dst + i, blend32(load(a + i), load(b + i), weights));
    store(dst + i + 32, blend32(load(a + i + 32), load(b + i + 32), weights));
  }
  if (i < n) {
    prefetch(next_a + i);
    prefetch(next_b + i);
    if (i + 32 <= n) store(dst + i, blend32(load(a + i), load(b + i), weights));
    // The last 32 bytes again: dst is no input, so writing a byte twice is harmless.
    store(dst + n - 32, blend32(load(a + n - 32), load(b + n - 32), weights));
  }
}

void interleave_chroma(uint8_t* dst, const uint8_t* u, const uint8_t* v, int64_t n, int step) {
  int64_t i = 0;
  if (step == 1) {
    for (; i + 16 <= n; i += 16) {
      const __m128i a = load_half(u + i), b = load_half(v + i);
      store_half(dst + 2 * i, _mm_unpacklo_epi8(a, b));
      store_half(dst + 2 * i + 16, _mm_unpackhi_epi8(a, b));
    }
  }
  scalar::interleave_chroma(dst + 2 * i, u + i * step, v + i * step, n - i, step);
}

void split_pixels(uint8_t* const plane[3], const uint8_t* src, int64_t n, int pixel_bytes) {
  int64_t i = 0;
  if (pixel_bytes == 4) {
    const __m256i gather = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,  //
                                            0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (; i + 32 <= n; i += 32) {
      // Each lane holds 4 bytes of each channel; two rounds of unpack bring 8 and 16 of them together. Loading the lanes as
      // pixels (0-3, 16-19) and so on makes the result come out in order.
      const uint8_t* s = src + 4 * i;
      const __m256i p0 = _mm256_shuffle_epi8(load_halves(s, s + 64), gather);
      const __m256i p1 = _mm256_shuffle_epi8(load_halves(s + 16, s + 80), gather);
      const __m256i p2 = _mm256_shuffle_epi8(load_halves(s + 32, s + 96), gather);
      const __m256i p3 = _mm256_shuffle_epi8(load_halves(s + 48, s + 112), gather);
      const __m256i rg01 = _mm256_unpacklo_epi32(p0, p1), rg23 = _mm256_unpacklo_epi32(p2, p3);
      const __m256i b01 = _mm256_unpackhi_epi32(p0, p1), b23 = _mm256_unpackhi_epi32(p2, p3);
      store(plane[0] + i, _mm256_unpacklo_epi64(rg01, rg23));
      store(plane[1] + i, _mm256_unpackhi_epi64(rg01, rg23));
      store(plane[2] + i, _mm256_unpacklo_epi64(b01, b23));
    }
  } else {
    const __m128i m0 = _mm_setr_epi8(0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i m1 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1);
    const __m128i m2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13);
    const __m128i g0 = _mm_setr_epi8(1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i g1 = _mm_setr_epi8(-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1);
    const __m128i g2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14);
    const __m128i b0 = _mm_setr_epi8(2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i b1 = _mm_setr_epi8(-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1);
    const __m128i b2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15);
    for (; i + 16 <= n; i += 16) {
      const uint8_t* s = src + 3 * i;
      const __m128i x0 = load_half(s), x1 = load_half(s + 16), x2 = load_half(s + 32);
      const auto pick = [&](__m128i k0, __m128i k1, __m128i k2) {
        return _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(x0, k0), _mm_shuffle_epi8(x1, k1)),
                            _mm_shuffle_epi8(x2, k2));
      };
      store_half(plane[0] + i, pick(m0, m1, m2));
      store_half(plane[1] + i, pick(g0, g1, g2));
      store_half(plane[2] + i, pick(b0, b1, b2));
    }
  }
  uint8_t* const rest[3] = {plane[0] + i, plane[1] + i, plane[2] + i};
  scalar::split_pixels(rest, src + pixel_bytes * i, n - i, pixel_bytes);
}

// ---- Horizontal sampling -------------------------------------------------------------------------------------------
// Sixteen samples at a time. AVX2 has no byte gather that is fast, but the taps of neighbouring samples are near each
// other: a 16-byte window holds those of `reach` = 4 samples up to a pitch of about 4 bytes, of 2 up to about 12, and of 1
// always. A shuffle brings the byte pairs to where maddubs wants them. Tables for 16 samples, `windows` = 16 / reach:
//   int32 start[windows]; uint8 mask[windows / 2][32]; int8 weights[32]
// Window w of lane l serves samples 8 l + w * reach ..., so a vector holds window w in its low and window w + windows / 2 in
// its high half; masks of other windows are -1 there, and OR joins them.
struct Prepared {
  int reach;
  int64_t group_bytes;
  uint8_t* tables;
};

constexpr int kGroup = 16;
constexpr int64_t kHeaderBytes = 64;

constexpr int64_t group_bytes(int reach) {
  return (kGroup / reach) * 4 + (kGroup / reach / 2) * 32 + 32;
}

int64_t prepared_bytes(int padded) { return kHeaderBytes + padded / kGroup * group_bytes(1); }

int span(const Taps& taps, int first, int reach, int tap_bytes) {
  int low = taps.index[first], high = low;
  for (int i = first + 1; i < first + reach; ++i) {
    if (taps.index[i] < low) low = taps.index[i];
    if (taps.index[i] > high) high = taps.index[i];
  }
  return high - low + tap_bytes;
}

int widest_reach(const Taps& taps) {
  const int tap_bytes = 2 * taps.step;  // a pair of samples, or of interleaved pairs
  for (int reach = 4; reach > 1; reach /= 2) {
    int first = 0;
    while (first < taps.padded && span(taps, first, reach, tap_bytes) <= 16) first += reach;
    if (first >= taps.padded) return reach;
  }
  return 1;
}

void prepare_taps(Taps* taps) {
  Prepared* const prepared = static_cast<Prepared*>(taps->prepared);
  prepared->reach = widest_reach(*taps);
  prepared->group_bytes = group_bytes(prepared->reach);
  prepared->tables = static_cast<uint8_t*>(taps->prepared) + kHeaderBytes;
  const int reach = prepared->reach, windows = kGroup / reach;
  uint8_t* table = prepared->tables;
  for (int first = 0; first < taps->padded; first += kGroup, table += prepared->group_bytes) {
    int32_t* const start = reinterpret_cast<int32_t*>(table);
    uint8_t* const masks = table + windows * 4;
    int8_t* const weights = reinterpret_cast<int8_t*>(masks + windows / 2 * 32);
    memset(masks, 0x80, static_cast<size_t>(windows / 2 * 32));
    for (int w = 0; w < windows; ++w) {
      int32_t low = taps->index[first + w * reach];
      for (int i = 1; i < reach; ++i) {
        const int32_t index = taps->index[first + w * reach + i];
        if (index < low) low = index;
      }
      start[w] = low;
      for (int i = 0; i < reach; ++i) {
        const int sample = w * reach + i;  // 0 .. 15; its byte pair stands at byte 2 * sample of the vector
        const int byte = taps->index[first + sample] - low;
        uint8_t* const mask = masks + (w % (windows / 2)) * 32 + 2 * sample;
        mask[0] = static_cast<uint8_t>(byte);
        mask[1] = static_cast<uint8_t>(byte + taps->step);
        weights[2 * sample] = static_cast<int8_t>(taps->weight[first + sample] - 128);
        weights[2 * sample + 1] = static_cast<int8_t>(-taps->weight[first + sample]);
      }
    }
  }
}

// The byte pairs of 16 samples; `Components` = 2 gives those of the next byte as well.
template <int Windows, int Components>
inline void gather_pairs(__m256i pairs[Components], const uint8_t* row, const uint8_t* table) {
  const int32_t* const start = reinterpret_cast<const int32_t*>(table);
  const uint8_t* const masks = table + Windows * 4;
  const __m256i one = _mm256_set1_epi8(1);
  for (int c = 0; c < Components; ++c) pairs[c] = _mm256_setzero_si256();
  for (int w = 0; w < Windows / 2; ++w) {
    const __m256i window = load_halves(row + start[w], row + start[w + Windows / 2]);
    __m256i mask = load(masks + 32 * w);
    pairs[0] = _mm256_or_si256(pairs[0], _mm256_shuffle_epi8(window, mask));
    if (Components == 2) {
      mask = _mm256_add_epi8(mask, one);  // 0x80 becomes 0x81, which still selects zero
      pairs[1] = _mm256_or_si256(pairs[1], _mm256_shuffle_epi8(window, mask));
    }
  }
}

template <int Windows, int Components>
inline void sample_windows(int16_t* const dst[Components], const uint8_t* row, const Taps& taps) {
  const Prepared& prepared = *static_cast<const Prepared*>(taps.prepared);
  const __m256i half = _mm256_set1_epi16(-16384);  // of the negated sum: (sum + 1) >> 1
  const uint8_t* table = prepared.tables;
  for (int i = 0; i < taps.padded; i += kGroup, table += group_bytes(kGroup / Windows)) {
    __m256i pairs[Components];
    gather_pairs<Windows, Components>(pairs, row, table);
    const __m256i weights = load(table + Windows * 4 + Windows / 2 * 32);
    for (int c = 0; c < Components; ++c) {
      store(dst[c] + i, _mm256_mulhrs_epi16(_mm256_maddubs_epi16(pairs[c], weights), half));
    }
  }
}

template <int Components>
inline void sample_any(int16_t* const dst[Components], const uint8_t* row, const Taps& taps) {
  switch (static_cast<const Prepared*>(taps.prepared)->reach) {
    case 4:
      return sample_windows<4, Components>(dst, row, taps);
    case 2:
      return sample_windows<8, Components>(dst, row, taps);
    default:
      return sample_windows<16, Components>(dst, row, taps);
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

// Sums of 32 columns: byte pairs of two rows widened to words, so that madd takes both weights at once.
struct Sums {
  __m256i part[4];
};

inline void add_row_pair(Sums& sums, __m256i a, __m256i b, __m256i weights) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
  const __m256i words[4] = {_mm256_unpacklo_epi8(low, zero), _mm256_unpackhi_epi8(low, zero),
                            _mm256_unpacklo_epi8(high, zero), _mm256_unpackhi_epi8(high, zero)};
  for (int k = 0; k < 4; ++k) sums.part[k] = _mm256_add_epi32(sums.part[k], _mm256_madd_epi16(words[k], weights));
}

void weigh_rows(uint8_t* dst, const uint8_t* first, int64_t stride, int64_t n, const int16_t* weights, int count) {
  if (n < 32) {
    scalar::weigh_rows(dst, first, stride, n, weights, count);
    return;
  }
  for (int64_t i = 0; i < n; i += 32) {
    if (i + 32 > n) i = n - 32;  // the last 32 again; dst is no input
    Sums sums;
    for (__m256i& part : sums.part) part = _mm256_set1_epi32(1 << 13);
    for (int k = 0; k < count; k += 2) {
      const bool pair = k + 1 < count;
      const uint8_t* const row = first + k * stride + i;
      const uint32_t packed = static_cast<uint16_t>(weights[k]) |
                              (pair ? static_cast<uint32_t>(static_cast<uint16_t>(weights[k + 1])) << 16 : 0u);
      add_row_pair(sums, load(row), load(pair ? row + stride : row), _mm256_set1_epi32(static_cast<int>(packed)));
    }
    for (__m256i& part : sums.part) part = _mm256_srai_epi32(part, 14);
    store(dst + i, _mm256_packus_epi16(_mm256_packs_epi32(sums.part[0], sums.part[1]),
                                       _mm256_packs_epi32(sums.part[2], sums.part[3])));
  }
}

void weigh_columns(int16_t* dst, const uint8_t* row, const WeightedTaps& taps) {
  const auto products = [&](int i) {
    const uint8_t* const pixels = row + taps.first[i];
    const int16_t* const weights = taps.weights + int64_t{i} * taps.stride;
    __m256i sum = _mm256_setzero_si256();
    for (int k = 0; k < taps.stride; k += kWeightBlock) {
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(load_half(pixels + k)), load(weights + k)));
    }
    return sum;
  };
  for (int i = 0; i < taps.padded; i += 4) {
    const __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(products(i), products(i + 1)),
                                           _mm256_hadd_epi32(products(i + 2), products(i + 3)));
    const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    const __m128i level = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(1 << 7)), 8);
    const __m128i words = _mm_packs_epi32(level, level);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(dst + i),
                     _mm_min_epi16(_mm_max_epi16(words, _mm_setzero_si128()), _mm_set1_epi16(64 * 255)));
  }
}

void split_pairs(uint8_t* a, uint8_t* b, const uint8_t* src, int64_t n) {
  const __m256i even = _mm256_set1_epi16(0xFF);
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i x = load(src + 2 * i), y = load(src + 2 * i + 32);
    const __m256i first = _mm256_packus_epi16(_mm256_and_si256(x, even), _mm256_and_si256(y, even));
    const __m256i second = _mm256_packus_epi16(_mm256_srli_epi16(x, 8), _mm256_srli_epi16(y, 8));
    store(a + i, _mm256_permute4x64_epi64(first, 0xD8));
    store(b + i, _mm256_permute4x64_epi64(second, 0xD8));
  }
  scalar::split_pairs(a + i, b + i, src + 2 * i, n - i);
}

// ---- Colour --------------------------------------------------------------------------------------------------------

__m256i clamp_level(__m256i x) {
  return _mm256_min_epi16(_mm256_max_epi16(x, _mm256_setzero_si256()), _mm256_set1_epi16(64 * 255));
}

void yuv_to_rgb(int16_t* y_r, int16_t* u_g, int16_t* v_b, int n, const Matrix& m) {
  const __m256i offset = _mm256_set1_epi16(m.luma_offset), luma = _mm256_set1_epi16(m.luma);
  const __m256i red = _mm256_set1_epi16(m.red), blue = _mm256_set1_epi16(m.blue);
  const __m256i green_u = _mm256_set1_epi16(m.green_u), green_v = _mm256_set1_epi16(m.green_v);
  const __m256i middle = _mm256_set1_epi16(64 * 128);
  for (int i = 0; i < n; i += 16) {
    const __m256i y0 = _mm256_sub_epi16(load(y_r + i), offset);
    const __m256i u = _mm256_sub_epi16(load(u_g + i), middle);
    const __m256i v = _mm256_sub_epi16(load(v_b + i), middle);
    const __m256i y = _mm256_add_epi16(y0, _mm256_mulhrs_epi16(y0, luma));
    const __m256i r = _mm256_add_epi16(_mm256_add_epi16(v, v), _mm256_mulhrs_epi16(v, red));
    const __m256i g = _mm256_add_epi16(_mm256_mulhrs_epi16(u, green_u), _mm256_mulhrs_epi16(v, green_v));
    const __m256i b = _mm256_add_epi16(_mm256_add_epi16(u, u), _mm256_mulhrs_epi16(u, blue));
    store(y_r + i, clamp_level(_mm256_adds_epi16(y, r)));
    store(u_g + i, clamp_level(_mm256_adds_epi16(y, g)));
    store(v_b + i, clamp_level(_mm256_adds_epi16(y, b)));
  }
}

void luma_to_gray(int16_t* y, int n, const Matrix& m) {
  const __m256i offset = _mm256_set1_epi16(m.luma_offset), luma = _mm256_set1_epi16(m.luma);
  for (int i = 0; i < n; i += 16) {
    const __m256i y0 = _mm256_sub_epi16(load(y + i), offset);
    store(y + i, clamp_level(_mm256_add_epi16(y0, _mm256_mulhrs_epi16(y0, luma))));
  }
}

void rgb_to_gray(int16_t* r, const int16_t* g, const int16_t* b, int n) {
  const __m256i kr = _mm256_set1_epi16(9798), kg = _mm256_set1_epi16(19235), kb = _mm256_set1_epi16(3735);
  for (int i = 0; i < n; i += 16) {
    const __m256i rg =
        _mm256_add_epi16(_mm256_mulhrs_epi16(load(r + i), kr), _mm256_mulhrs_epi16(load(g + i), kg));
    store(r + i, clamp_level(_mm256_add_epi16(rg, _mm256_mulhrs_epi16(load(b + i), kb))));
  }
}

// ---- Normalise and quantise ----------------------------------------------------------------------------------------

inline __m256 affine8(const int16_t* src, __m256 multiply, __m256 add) {
  const __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(load_half(src)));
  return _mm256_add_ps(_mm256_mul_ps(x, multiply), add);
}

// 16 results as int16, saturated. cvtps rounds half to even; mk_preprocess_check keeps the values inside int32.
inline __m256i affine16_i16(const int16_t* src, __m256 multiply, __m256 add) {
  const __m256i low = _mm256_cvtps_epi32(affine8(src, multiply, add));
  const __m256i high = _mm256_cvtps_epi32(affine8(src + 8, multiply, add));
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8);
}

// `Block` writes 32 elements; the last, incomplete block goes through the stack because dst ends at n.
template <int Bytes, typename Block>
inline void in_blocks(void* dst, const int16_t* src, int n, Block block) {
  uint8_t* const out = static_cast<uint8_t*>(dst);
  int i = 0;
  for (; i + 32 <= n; i += 32) block(out + int64_t{i} * Bytes, src + i);
  if (i < n) {
    alignas(32) uint8_t last[32 * Bytes];
    block(last, src + i);
    memcpy(out + int64_t{i} * Bytes, last, static_cast<size_t>((n - i) * Bytes));
  }
}

template <bool Signed>
inline void convert_8(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m256 m = _mm256_set1_ps(multiply), a = _mm256_set1_ps(add);
  in_blocks<1>(dst, src, n, [m, a](uint8_t* out, const int16_t* in) {
    const __m256i low = affine16_i16(in, m, a), high = affine16_i16(in + 16, m, a);
    const __m256i packed = Signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
    store(out, _mm256_permute4x64_epi64(packed, 0xD8));
  });
}

void convert_i8(void* dst, const int16_t* src, int n, float multiply, float add) {
  convert_8<true>(dst, src, n, multiply, add);
}

void convert_u8(void* dst, const int16_t* src, int n, float multiply, float add) {
  convert_8<false>(dst, src, n, multiply, add);
}

void convert_i16(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m256 m = _mm256_set1_ps(multiply), a = _mm256_set1_ps(add);
  in_blocks<2>(dst, src, n, [m, a](uint8_t* out, const int16_t* in) {
    store(out, affine16_i16(in, m, a));
    store(out + 32, affine16_i16(in + 16, m, a));
  });
}

void convert_f32(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m256 m = _mm256_set1_ps(multiply), a = _mm256_set1_ps(add);
  in_blocks<4>(dst, src, n, [m, a](uint8_t* out, const int16_t* in) {
    for (int k = 0; k < 4; ++k) store(out + 32 * k, _mm256_castps_si256(affine8(in + 8 * k, m, a)));
  });
}

void convert_f16(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m256 m = _mm256_set1_ps(multiply), a = _mm256_set1_ps(add);
  in_blocks<2>(dst, src, n, [m, a](uint8_t* out, const int16_t* in) {
    for (int k = 0; k < 4; ++k) {
      store_half(out + 16 * k, _mm256_cvtps_ph(affine8(in + 8 * k, m, a), _MM_FROUND_TO_NEAREST_INT));
    }
  });
}

// ---- Storing -------------------------------------------------------------------------------------------------------

// Three vectors of 16 bytes a lane -> 48 interleaved bytes a lane. Output byte j of a lane is channel j % 3, sample j / 3.
struct Joined {
  __m256i part[3];
};

inline Joined join_bytes(__m256i a, __m256i b, __m256i c) {
#define MK_TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
  const __m256i a0 = MK_TWICE(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5);
  const __m256i b0 = MK_TWICE(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1);
  const __m256i c0 = MK_TWICE(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1);
  const __m256i a1 = MK_TWICE(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1);
  const __m256i b1 = MK_TWICE(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10);
  const __m256i c1 = MK_TWICE(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1);
  const __m256i a2 = MK_TWICE(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1);
  const __m256i b2 = MK_TWICE(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1);
  const __m256i c2 = MK_TWICE(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15);
#undef MK_TWICE
  const auto pick = [&](__m256i ka, __m256i kb, __m256i kc) {
    return _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(a, ka), _mm256_shuffle_epi8(b, kb)),
                           _mm256_shuffle_epi8(c, kc));
  };
  return {{pick(a0, b0, c0), pick(a1, b1, c1), pick(a2, b2, c2)}};
}

inline void store_low(void* dst, const Joined& x) {
  for (int k = 0; k < 3; ++k) store_half(static_cast<uint8_t*>(dst) + 16 * k, _mm256_castsi256_si128(x.part[k]));
}

inline void store_high(void* dst, const Joined& x) {
  for (int k = 0; k < 3; ++k) {
    store_half(static_cast<uint8_t*>(dst) + 16 * k, _mm256_extracti128_si256(x.part[k], 1));
  }
}

void join3(void* dst, const void* const plane[3], int n, int bytes) {
  if (bytes != 1) {
    scalar::join3(dst, plane, n, bytes);
    return;
  }
  const uint8_t *a = static_cast<const uint8_t*>(plane[0]), *b = static_cast<const uint8_t*>(plane[1]),
                *c = static_cast<const uint8_t*>(plane[2]);
  uint8_t* const out = static_cast<uint8_t*>(dst);
  int i = 0;
  for (; i + 32 <= n; i += 32) {
    const Joined x = join_bytes(load(a + i), load(b + i), load(c + i));
    store_low(out + 3 * i, x);
    store_high(out + 3 * i + 48, x);
  }
  const void* const rest[3] = {a + i, b + i, c + i};
  scalar::join3(out + 3 * i, rest, n - i, 1);
}

// Two 16x16 byte transposes at once, one a lane: x[i] is row i of both, and becomes column i of both.
inline void transpose16(__m256i x[16]) {
  __m256i y[16];
  // Four rounds of interleaving rows i and i + 8: each moves one bit of the row number into the column number.
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 8; ++i) {
      y[2 * i] = _mm256_unpacklo_epi8(x[i], x[i + 8]);
      y[2 * i + 1] = _mm256_unpackhi_epi8(x[i], x[i + 8]);
    }
    for (int i = 0; i < 16; ++i) x[i] = y[i];
  }
}

// One plane of 32 columns; column j goes to t[j], column 16 + j to its high half.
inline void transpose_block(__m256i t[16], const uint8_t* plane, int64_t stride) {
  for (int i = 0; i < 16; ++i) t[i] = load(plane + i * stride);
  transpose16(t);
}

void transpose3_bytes(uint8_t* dst, int64_t out_stride, const uint8_t* const plane[3], int64_t stride, int columns,
                      int rows) {
  for (int j = 0; j < columns; j += 32) {
    __m256i a[16], b[16], c[16];
    transpose_block(a, plane[0] + j, stride);
    transpose_block(b, plane[1] + j, stride);
    transpose_block(c, plane[2] + j, stride);
    const int left = columns - j;
    if (rows == kBandRows && left >= 32) {
      for (int i = 0; i < 16; ++i) {
        const Joined x = join_bytes(a[i], b[i], c[i]);
        store_low(dst + (j + i) * out_stride, x);
        store_high(dst + (j + i + 16) * out_stride, x);
      }
      continue;
    }
    for (int i = 0; i < 16 && i < left; ++i) {
      uint8_t line[2][48];
      const Joined x = join_bytes(a[i], b[i], c[i]);
      store_low(line[0], x);
      store_high(line[1], x);
      memcpy(dst + (j + i) * out_stride, line[0], static_cast<size_t>(3 * rows));
      if (i + 16 < left) memcpy(dst + (j + i + 16) * out_stride, line[1], static_cast<size_t>(3 * rows));
    }
  }
}

void transpose1_bytes(uint8_t* dst, int64_t out_stride, const uint8_t* plane, int64_t stride, int columns, int rows) {
  for (int j = 0; j < columns; j += 32) {
    __m256i a[16];
    transpose_block(a, plane + j, stride);
    const int left = columns - j;
    for (int i = 0; i < 16 && i < left; ++i) {
      uint8_t line[32];
      store(line, a[i]);
      memcpy(dst + (j + i) * out_stride, line, static_cast<size_t>(rows));
      if (i + 16 < left) memcpy(dst + (j + i + 16) * out_stride, line + 16, static_cast<size_t>(rows));
    }
  }
}

void transpose(void* dst, int64_t out_stride, const void* const plane[3], int64_t plane_stride, int columns, int rows,
               int channels, int bytes) {
  if (bytes != 1) {
    scalar::transpose(dst, out_stride, plane, plane_stride, columns, rows, channels, bytes);
    return;
  }
  uint8_t* const out = static_cast<uint8_t*>(dst);
  const uint8_t* planes[3] = {static_cast<const uint8_t*>(plane[0]), nullptr, nullptr};
  if (channels == 1) {
    transpose1_bytes(out, out_stride, planes[0], plane_stride, columns, rows);
    return;
  }
  for (int c = 1; c < 3; ++c) planes[c] = static_cast<const uint8_t*>(plane[c]);
  transpose3_bytes(out, out_stride, planes, plane_stride, columns, rows);
}

}  // namespace

const RowOps kRowOpsAvx2 = {
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

const RowOps* row_ops_avx2() { return &kRowOpsAvx2; }

}  // namespace mobilekit

MK_END_TARGET

#else

namespace mobilekit {
const RowOps* row_ops_avx2() { return nullptr; }
}  // namespace mobilekit

#endif  // MK_HAVE_AVX2
