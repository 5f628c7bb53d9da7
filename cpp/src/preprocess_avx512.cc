// AVX-512 row primitives (with VBMI, the byte permute: Ice Lake and Zen 4 on). What does not pay is AVX2's.
#include "row_ops.h"
#include "target.h"

#if MK_HAVE_AVX512
#if defined(__GNUC__) && !defined(__clang__)
// GCC bug 105593: gcc 12's own header trips this warning (its _mm512_undefined_*), which is fixed in gcc 13.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

MK_BEGIN_TARGET(MK_AVX512_FEATURES)

namespace mobilekit {
namespace {

__m512i load(const void* p) { return _mm512_loadu_si512(p); }
void store(void* p, __m512i x) { _mm512_storeu_si512(p, x); }
void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

// As blend32 of the AVX2 file, for 64 bytes.
__m512i blend64(__m512i a, __m512i b, __m512i negative_weights) {
  const __m512i shift = _mm512_set1_epi16(-256);
  const __m512i low = _mm512_maddubs_epi16(_mm512_unpacklo_epi8(a, b), negative_weights);
  const __m512i high = _mm512_maddubs_epi16(_mm512_unpackhi_epi8(a, b), negative_weights);
  return _mm512_packus_epi16(_mm512_mulhrs_epi16(low, shift), _mm512_mulhrs_epi16(high, shift));
}

void blend_rows(uint8_t* dst, const uint8_t* a, const uint8_t* b, int64_t n, int weight, const uint8_t* next_a,
                const uint8_t* next_b) {
  if (weight == 0) {
    kRowOpsAvx2.blend_rows(dst, a, b, n, weight, next_a, next_b);
    return;
  }
  // Bytes weight - 128 and -weight, modulo 256.
  const __m512i weights = _mm512_set1_epi16(static_cast<int16_t>(((256 - weight) << 8) | (weight + 128)));
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    prefetch(next_a + i);
    prefetch(next_b + i);
    store(dst + i, blend64(load(a + i), load(b + i), weights));
  }
  if (i < n) {
    prefetch(next_a + i);
    prefetch(next_b + i);
    const __mmask64 rest = ~uint64_t{0} >> (64 - (n - i));
    const __m512i x = blend64(_mm512_maskz_loadu_epi8(rest, a + i), _mm512_maskz_loadu_epi8(rest, b + i), weights);
    _mm512_mask_storeu_epi8(dst + i, rest, x);
  }
}

// ---- Horizontal sampling: 32 samples at a time ---------------------------------------------------------------------
// A byte permute takes the pairs of `reach` neighbouring samples out of one window: 128 bytes for 32 or 16 samples (pitch up
// to about 4 and 8), 64 bytes for 8, 4, 2 and 1. Masks merge the windows. Tables for 32 samples:
//   int32 start[32 / reach] (padded to 16 bytes); uint8 index[64]; int8 weights[64]
struct Prepared {
  int reach;
  uint8_t* tables;
};

constexpr int kGroup = 32;
constexpr int64_t kHeaderBytes = 64;

constexpr int64_t start_bytes(int reach) { return (kGroup / reach * 4 + 15) / 16 * 16; }
constexpr int64_t group_bytes(int reach) { return start_bytes(reach) + 128; }

int64_t prepared_bytes(int padded) { return kHeaderBytes + padded / kGroup * group_bytes(1); }

constexpr int window_bytes(int reach) { return reach >= 16 ? 128 : 64; }

int lowest(const Taps& taps, int first, int reach) {
  int low = taps.index[first];
  for (int i = first + 1; i < first + reach; ++i) low = taps.index[i] < low ? taps.index[i] : low;
  return low;
}

bool reaches(const Taps& taps, int reach) {
  for (int first = 0; first < taps.padded; first += reach) {
    const int low = lowest(taps, first, reach);
    for (int i = first; i < first + reach; ++i) {
      if (taps.index[i] - low + 2 * taps.step > window_bytes(reach)) return false;
    }
  }
  return true;
}

void prepare_taps(Taps* taps) {
  Prepared* const prepared = static_cast<Prepared*>(taps->prepared);
  int reach = kGroup;
  while (reach > 1 && !reaches(*taps, reach)) reach /= 2;
  prepared->reach = reach;
  prepared->tables = static_cast<uint8_t*>(taps->prepared) + kHeaderBytes;
  uint8_t* table = prepared->tables;
  for (int first = 0; first < taps->padded; first += kGroup, table += group_bytes(reach)) {
    int32_t* const start = reinterpret_cast<int32_t*>(table);
    uint8_t* const index = table + start_bytes(reach);
    int8_t* const weights = reinterpret_cast<int8_t*>(index + 64);
    for (int i = 0; i < kGroup; ++i) {
      const int window = i / reach;
      if (i % reach == 0) start[window] = lowest(*taps, first + i, reach);
      const int byte = taps->index[first + i] - start[window];
      index[2 * i] = static_cast<uint8_t>(byte);
      index[2 * i + 1] = static_cast<uint8_t>(byte + taps->step);
      weights[2 * i] = static_cast<int8_t>(taps->weight[first + i] - 128);
      weights[2 * i + 1] = static_cast<int8_t>(-taps->weight[first + i]);
    }
  }
}

template <int Reach, int Components>
inline void sample_windows(int16_t* const dst[Components], const uint8_t* row, const Taps& taps) {
  const uint8_t* table = static_cast<const Prepared*>(taps.prepared)->tables;
  const __m512i half = _mm512_set1_epi16(-16384);  // of the negated sum: (sum + 1) >> 1
  const __m512i one = _mm512_set1_epi8(1);
  for (int i = 0; i < taps.padded; i += kGroup, table += group_bytes(Reach)) {
    const int32_t* const start = reinterpret_cast<const int32_t*>(table);
    const __m512i index = load(table + start_bytes(Reach));
    const __m512i weights = load(table + start_bytes(Reach) + 64);
    const __m512i second = _mm512_add_epi8(index, one);
    __m512i pairs[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int w = 0; w < kGroup / Reach; ++w) {
      constexpr uint64_t kWindowBits = Reach == 32 ? ~uint64_t{0} : (uint64_t{1} << (2 * Reach % 64)) - 1;
      const __mmask64 mine = kWindowBits << (2 * Reach * w % 64);
      const __m512i low = load(row + start[w]);
      if (window_bytes(Reach) == 128) {
        const __m512i high = load(row + start[w] + 64);
        pairs[0] = _mm512_mask_mov_epi8(pairs[0], mine, _mm512_permutex2var_epi8(low, index, high));
        if (Components == 2) {
          pairs[1] = _mm512_mask_mov_epi8(pairs[1], mine, _mm512_permutex2var_epi8(low, second, high));
        }
      } else {
        pairs[0] = _mm512_mask_permutexvar_epi8(pairs[0], mine, index, low);
        if (Components == 2) pairs[1] = _mm512_mask_permutexvar_epi8(pairs[1], mine, second, low);
      }
    }
    for (int c = 0; c < Components; ++c) {
      store(dst[c] + i, _mm512_mulhrs_epi16(_mm512_maddubs_epi16(pairs[c], weights), half));
    }
  }
}

template <int Components>
inline void sample_any(int16_t* const dst[Components], const uint8_t* row, const Taps& taps) {
  switch (static_cast<const Prepared*>(taps.prepared)->reach) {
    case 32:
      return sample_windows<32, Components>(dst, row, taps);
    case 16:
      return sample_windows<16, Components>(dst, row, taps);
    case 8:
      return sample_windows<8, Components>(dst, row, taps);
    case 4:
      return sample_windows<4, Components>(dst, row, taps);
    case 2:
      return sample_windows<2, Components>(dst, row, taps);
    default:
      return sample_windows<1, Components>(dst, row, taps);
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

__m512i clamp_level(__m512i x) {
  return _mm512_min_epi16(_mm512_max_epi16(x, _mm512_setzero_si512()), _mm512_set1_epi16(64 * 255));
}

void yuv_to_rgb(int16_t* y_r, int16_t* u_g, int16_t* v_b, int n, const Matrix& m) {
  const __m512i offset = _mm512_set1_epi16(m.luma_offset), luma = _mm512_set1_epi16(m.luma);
  const __m512i red = _mm512_set1_epi16(m.red), blue = _mm512_set1_epi16(m.blue);
  const __m512i green_u = _mm512_set1_epi16(m.green_u), green_v = _mm512_set1_epi16(m.green_v);
  const __m512i middle = _mm512_set1_epi16(64 * 128);
  for (int i = 0; i < n; i += 32) {
    const __m512i y0 = _mm512_sub_epi16(load(y_r + i), offset);
    const __m512i u = _mm512_sub_epi16(load(u_g + i), middle);
    const __m512i v = _mm512_sub_epi16(load(v_b + i), middle);
    const __m512i y = _mm512_add_epi16(y0, _mm512_mulhrs_epi16(y0, luma));
    const __m512i r = _mm512_add_epi16(_mm512_add_epi16(v, v), _mm512_mulhrs_epi16(v, red));
    const __m512i g = _mm512_add_epi16(_mm512_mulhrs_epi16(u, green_u), _mm512_mulhrs_epi16(v, green_v));
    const __m512i b = _mm512_add_epi16(_mm512_add_epi16(u, u), _mm512_mulhrs_epi16(u, blue));
    store(y_r + i, clamp_level(_mm512_adds_epi16(y, r)));
    store(u_g + i, clamp_level(_mm512_adds_epi16(y, g)));
    store(v_b + i, clamp_level(_mm512_adds_epi16(y, b)));
  }
}

// ---- Normalise and quantise: 16 at a time, the last block masked ---------------------------------------------------
// Narrowed in a register and then stored: the narrowing store (vpmovsdb to memory) is microcoded on Zen 4 and 5, and made
// the whole function 3 times slower.

inline __mmask16 first_lanes(int n) { return static_cast<__mmask16>(n >= 16 ? 0xFFFF : (1u << n) - 1); }

inline __m512 affine16(const int16_t* src, __m512 multiply, __m512 add) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src));
  return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(x)), multiply), add);
}

void convert_i8(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m512 m = _mm512_set1_ps(multiply), a = _mm512_set1_ps(add);
  for (int i = 0; i < n; i += 16) {
    const __m512i x = _mm512_cvtps_epi32(affine16(src + i, m, a));
    _mm_mask_storeu_epi8(static_cast<int8_t*>(dst) + i, first_lanes(n - i), _mm512_cvtsepi32_epi8(x));
  }
}

void convert_u8(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m512 m = _mm512_set1_ps(multiply), a = _mm512_set1_ps(add);
  for (int i = 0; i < n; i += 16) {
    const __m512i x = _mm512_max_epi32(_mm512_cvtps_epi32(affine16(src + i, m, a)), _mm512_setzero_si512());
    _mm_mask_storeu_epi8(static_cast<uint8_t*>(dst) + i, first_lanes(n - i), _mm512_cvtusepi32_epi8(x));
  }
}

void convert_i16(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m512 m = _mm512_set1_ps(multiply), a = _mm512_set1_ps(add);
  for (int i = 0; i < n; i += 16) {
    const __m512i x = _mm512_cvtps_epi32(affine16(src + i, m, a));
    _mm256_mask_storeu_epi16(static_cast<int16_t*>(dst) + i, first_lanes(n - i), _mm512_cvtsepi32_epi16(x));
  }
}

void convert_f32(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m512 m = _mm512_set1_ps(multiply), a = _mm512_set1_ps(add);
  for (int i = 0; i < n; i += 16) {
    _mm512_mask_storeu_ps(static_cast<float*>(dst) + i, first_lanes(n - i), affine16(src + i, m, a));
  }
}

void convert_f16(void* dst, const int16_t* src, int n, float multiply, float add) {
  const __m512 m = _mm512_set1_ps(multiply), a = _mm512_set1_ps(add);
  for (int i = 0; i < n; i += 16) {
    const __m256i x = _mm512_cvtps_ph(affine16(src + i, m, a), _MM_FROUND_TO_NEAREST_INT);
    _mm256_mask_storeu_epi16(static_cast<int16_t*>(dst) + i, first_lanes(n - i), x);
  }
}

// ---- Storing -------------------------------------------------------------------------------------------------------

// Four 16x16 byte transposes at once, one a lane; see transpose16 of the AVX2 file.
inline void transpose_block(__m512i x[16], const uint8_t* plane, int64_t stride) {
  __m512i y[16];
  for (int i = 0; i < 16; ++i) x[i] = load(plane + i * stride);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 8; ++i) {
      y[2 * i] = _mm512_unpacklo_epi8(x[i], x[i + 8]);
      y[2 * i + 1] = _mm512_unpackhi_epi8(x[i], x[i + 8]);
    }
    for (int i = 0; i < 16; ++i) x[i] = y[i];
  }
}

// Permutations that interleave lane `lane` of three registers into 48 bytes, in two steps: (a, b), then (that, c).
struct JoinIndex {
  alignas(64) uint8_t ab[4][64];
  alignas(64) uint8_t with_c[4][64];
};

constexpr JoinIndex make_join_index() {
  JoinIndex index = {};
  for (int lane = 0; lane < 4; ++lane) {
    for (int j = 0; j < 48; ++j) {
      const int sample = 16 * lane + j / 3;
      index.ab[lane][j] = static_cast<uint8_t>(j % 3 == 1 ? 64 + sample : sample);
      index.with_c[lane][j] = static_cast<uint8_t>(j % 3 == 2 ? 64 + sample : j);
    }
  }
  return index;
}

constexpr JoinIndex kJoinIndex = make_join_index();

void transpose(void* dst, int64_t out_stride, const void* const plane[3], int64_t plane_stride, int columns, int rows,
               int channels, int bytes) {
  if (bytes != 1 || channels != 3) {
    kRowOpsAvx2.transpose(dst, out_stride, plane, plane_stride, columns, rows, channels, bytes);
    return;
  }
  const __mmask64 row_bytes = (uint64_t{1} << (3 * rows)) - 1;  // rows <= 16: at most 48 bytes
  for (int j = 0; j < columns; j += 64) {
    __m512i a[16], b[16], c[16];
    transpose_block(a, static_cast<const uint8_t*>(plane[0]) + j, plane_stride);
    transpose_block(b, static_cast<const uint8_t*>(plane[1]) + j, plane_stride);
    transpose_block(c, static_cast<const uint8_t*>(plane[2]) + j, plane_stride);
    uint8_t* const out = static_cast<uint8_t*>(dst) + j * out_stride;
    const int left = columns - j;
    for (int lane = 0; lane < 4; ++lane) {
      const __m512i ab = load(kJoinIndex.ab[lane]), with_c = load(kJoinIndex.with_c[lane]);
      for (int i = 0; i < 16 && 16 * lane + i < left; ++i) {
        const __m512i x = _mm512_permutex2var_epi8(_mm512_permutex2var_epi8(a[i], ab, b[i]), with_c, c[i]);
        _mm512_mask_storeu_epi8(out + (16 * lane + i) * out_stride, row_bytes, x);
      }
    }
  }
}

void interleave_chroma(uint8_t* dst, const uint8_t* u, const uint8_t* v, int64_t n, int step) {
  kRowOpsAvx2.interleave_chroma(dst, u, v, n, step);
}

void split_pixels(uint8_t* const plane[3], const uint8_t* src, int64_t n, int pixel_bytes) {
  kRowOpsAvx2.split_pixels(plane, src, n, pixel_bytes);
}

void weigh_rows(uint8_t* dst, const uint8_t* first, int64_t stride, int64_t n, const int16_t* weights, int count) {
  kRowOpsAvx2.weigh_rows(dst, first, stride, n, weights, count);
}

void weigh_columns(int16_t* dst, const uint8_t* row, const WeightedTaps& taps) {
  kRowOpsAvx2.weigh_columns(dst, row, taps);
}

void split_pairs(uint8_t* a, uint8_t* b, const uint8_t* src, int64_t n) { kRowOpsAvx2.split_pairs(a, b, src, n); }

void luma_to_gray(int16_t* y, int n, const Matrix& matrix) { kRowOpsAvx2.luma_to_gray(y, n, matrix); }

void rgb_to_gray(int16_t* r, const int16_t* g, const int16_t* b, int n) { kRowOpsAvx2.rgb_to_gray(r, g, b, n); }

void join3(void* dst, const void* const plane[3], int n, int bytes) { kRowOpsAvx2.join3(dst, plane, n, bytes); }

constexpr RowOps kRowOpsAvx512 = {
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

const RowOps* row_ops_avx512() { return &kRowOpsAvx512; }

}  // namespace mobilekit

MK_END_TARGET

#else

namespace mobilekit {
const RowOps* row_ops_avx512() { return nullptr; }
}  // namespace mobilekit

#endif  // MK_HAVE_AVX512
