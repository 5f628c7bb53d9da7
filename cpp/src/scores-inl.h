// The loops of top-k and softmax, in a shape that compilers vectorise: the file of each instruction set includes this
// inside its target brackets and its own namespace. No guard: it is included once by each of them. The operations and
// their order are fixed, so every version gives the same bits.
constexpr int32_t kLanes = 16;  // partial sums: two AVX2 or four NEON registers

int32_t next_above_f32(const float* scores, int32_t from, int32_t n, float threshold) {
  const bool any_number = threshold != threshold;
  int32_t i = from;
  for (; i + 32 <= n; i += 32) {
    int32_t hits = 0;
    if (any_number) {
      for (int32_t j = 0; j < 32; ++j) hits |= scores[i + j] == scores[i + j];
    } else {
      for (int32_t j = 0; j < 32; ++j) hits |= scores[i + j] > threshold;
    }
    if (hits) break;
  }
  for (; i < n; ++i) {
    if (any_number ? scores[i] == scores[i] : scores[i] > threshold) return i;
  }
  return n;
}

int32_t next_above_i8(const int8_t* scores, int32_t from, int32_t n, int32_t threshold) {
  int32_t i = from;
  const int8_t limit = static_cast<int8_t>(threshold);
  for (; i + 64 <= n; i += 64) {
    int8_t hits = 0;
    for (int32_t j = 0; j < 64; ++j) hits = static_cast<int8_t>(hits | (scores[i + j] > limit));
    if (hits) break;
  }
  for (; i < n; ++i) {
    if (scores[i] > limit) return i;
  }
  return n;
}

float max_f32(const float* scores, int32_t n) {
  float lane[kLanes];
  for (float& x : lane) x = -__builtin_inff();
  int32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int32_t j = 0; j < kLanes; ++j) lane[j] = scores[i + j] > lane[j] ? scores[i + j] : lane[j];
  }
  for (; i < n; ++i) lane[0] = scores[i] > lane[0] ? scores[i] : lane[0];
  for (float x : lane) lane[0] = x > lane[0] ? x : lane[0];
  return lane[0];
}

int32_t max_i8(const int8_t* scores, int32_t n) {
  int8_t best = -128;
  for (int32_t i = 0; i < n; ++i) best = scores[i] > best ? scores[i] : best;
  return best;
}

// exp for x <= 0 (and NaN, which comes out as NaN): 2^k * p(r), x = k ln 2 + r; below -87 the result is 0, because 2^k leaves
// the normal floats there. Coefficients from Cephes' expf.
inline float exp_of(float x) {
  const float shifted = x * 1.44269504f + 12582912.0f;  // adding 1.5 * 2^23 rounds to an integer
  const float k = shifted - 12582912.0f;
  float r = x - k * 0.693359375f;
  r = r - k * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const uint32_t scale_bits = (bits_of(shifted) - 0x4B400000u + 127u) << 23;
  const float y = p * float_of(scale_bits);
  return x < -87.0f ? 0.0f : y;
}

float fold(float* lane) {
  for (int32_t half = kLanes / 2; half > 0; half /= 2) {
    for (int32_t j = 0; j < half; ++j) lane[j] += lane[j + half];
  }
  return lane[0];
}

float exp_sum(float* dst, const float* src, int32_t n, float max) {
  float lane[kLanes] = {};
  int32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int32_t j = 0; j < kLanes; ++j) {
      const float e = exp_of(src[i + j] - max);
      dst[i + j] = e;
      lane[j] += e;
    }
  }
  for (int32_t j = 0; i + j < n; ++j) {
    const float e = exp_of(src[i + j] - max);
    dst[i + j] = e;
    lane[j] += e;
  }
  return fold(lane);
}

float sum(const float* x, int32_t n) {
  float lane[kLanes] = {};
  int32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int32_t j = 0; j < kLanes; ++j) lane[j] += x[i + j];
  }
  for (int32_t j = 0; i + j < n; ++j) lane[j] += x[i + j];
  return fold(lane);
}

void divide(float* x, int32_t n, float by) {
  for (int32_t i = 0; i < n; ++i) x[i] = x[i] / by;
}

// One pass that finds the largest block, then a look into that block alone. Four vectors of 32 bytes hide the latency of max;
// they are spelled out because compilers keep an array of lanes in memory. 512 scores a block amortise folding them.
template <typename T>
inline int32_t argmax(const T* scores, int32_t n, T lowest) {
  typedef T Vector __attribute__((vector_size(32)));
  constexpr int32_t kBlock = 512, kLanesOf = static_cast<int32_t>(32 / sizeof(T)), kStep = 4 * kLanesOf;
  T largest = lowest;
  int32_t from = 0, end = n;  // where the scores are all `lowest`, the first of them is sought everywhere
  for (int32_t first = 0; first < n; first += kBlock) {
    const int32_t stop = n - first < kBlock ? n : first + kBlock;
    T best = lowest;
    int32_t i = first;
    if (i + kStep <= stop) {
      Vector a = Vector{} + lowest, b = a, c = a, d = a;
      for (; i + kStep <= stop; i += kStep) {
        Vector x[4];
        memcpy(x, scores + i, sizeof x);
        a = x[0] > a ? x[0] : a;
        b = x[1] > b ? x[1] : b;
        c = x[2] > c ? x[2] : c;
        d = x[3] > d ? x[3] : d;
      }
      a = b > a ? b : a;
      c = d > c ? d : c;
      a = c > a ? c : a;
      for (int32_t j = 0; j < kLanesOf; ++j) best = a[j] > best ? a[j] : best;
    }
    for (; i < stop; ++i) best = scores[i] > best ? scores[i] : best;
    if (best > largest) {
      largest = best;
      from = first;
      end = stop;
    }
  }
  for (int32_t i = from; i < end; ++i) {
    if (scores[i] == largest) return i;
  }
  return -1;
}

int32_t argmax_f32(const float* scores, int32_t n) { return argmax(scores, n, -__builtin_inff()); }

int32_t argmax_i8(const int8_t* scores, int32_t n) { return argmax(scores, n, static_cast<int8_t>(-128)); }
