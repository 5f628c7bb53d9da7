// The loops of embeddings, in a shape that compilers vectorise; see scores-inl.h.
double dot_f32(const float* a, const float* b, int32_t n) {
  constexpr int32_t kLanes = 16;  // four AVX2 or eight NEON registers of float64: the latency of an add is hidden
  double lane[kLanes] = {};
  int32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int32_t j = 0; j < kLanes; ++j) lane[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  }
  for (int32_t j = 0; i + j < n; ++j) lane[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  for (int32_t half = kLanes / 2; half > 0; half /= 2) {
    for (int32_t j = 0; j < half; ++j) lane[j] += lane[j + half];
  }
  return lane[0];
}

int64_t dot_i8(const int8_t* a, int32_t a_zero, const int8_t* b, int32_t b_zero, int32_t n) {
  constexpr int32_t kBlock = 1 << 14;  // 255 * 255 * 2^14 < 2^31
  int64_t total = 0;
  for (int32_t first = 0; first < n; first += kBlock) {
    const int32_t end = n - first < kBlock ? n : first + kBlock;
    int32_t sum = 0;
    for (int32_t i = first; i < end; ++i) sum += (a[i] - a_zero) * (b[i] - b_zero);
    total += sum;
  }
  return total;
}

void scale_f32(float* dst, const float* x, int32_t n, double by) {
  for (int32_t i = 0; i < n; ++i) dst[i] = static_cast<float>(static_cast<double>(x[i]) / by);
}

void scale_i8(float* dst, const int8_t* x, int32_t zero_point, int32_t n, double by) {
  for (int32_t i = 0; i < n; ++i) dst[i] = static_cast<float>((x[i] - zero_point) / by);
}
