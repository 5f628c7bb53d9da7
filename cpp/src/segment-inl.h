// The loops of segmentation, in a shape that compilers vectorise; see scores-inl.h.
constexpr int32_t kPixelBlock = 64;

// Planes of classes: the largest score of a block of pixels stays in registers or the first-level cache, with its class.
template <typename T>
inline void best_of_planes(uint8_t* best, const T* row, int64_t class_step, int32_t n, int32_t classes, T lowest) {
  for (int32_t first = 0; first < n; first += kPixelBlock) {
    const int32_t count = n - first < kPixelBlock ? n - first : kPixelBlock;
    T largest[kPixelBlock];
    int32_t at[kPixelBlock];  // as wide as a float, so that one mask serves both selections
    for (int32_t j = 0; j < kPixelBlock; ++j) {
      largest[j] = lowest;
      at[j] = 0;
    }
    for (int32_t c = 0; c < classes; ++c) {
      const T* const score = row + c * class_step + first;
      if (count == kPixelBlock) {
        for (int32_t j = 0; j < kPixelBlock; ++j) {
          const bool above = score[j] > largest[j];
          largest[j] = above ? score[j] : largest[j];
          at[j] = above ? c : at[j];
        }
      } else {
        for (int32_t j = 0; j < count; ++j) {
          const bool above = score[j] > largest[j];
          largest[j] = above ? score[j] : largest[j];
          at[j] = above ? c : at[j];
        }
      }
    }
    for (int32_t j = 0; j < count; ++j) best[first + j] = static_cast<uint8_t>(at[j]);
  }
}

template <typename T>
inline void best_of_pixels(uint8_t* best, const T* row, int64_t pixel_step, int32_t n, int32_t classes, T lowest) {
  for (int32_t i = 0; i < n; ++i) {
    const T* const score = row + i * pixel_step;
    T largest = lowest;
    for (int32_t c = 0; c < classes; ++c) largest = score[c] > largest ? score[c] : largest;
    int32_t c = 0;
    while (c < classes && !(score[c] == largest)) ++c;
    best[i] = static_cast<uint8_t>(largest == lowest || c == classes ? 0 : c);
  }
}

void best_f32(uint8_t* best, const float* row, int64_t pixel_step, int64_t class_step, int32_t n, int32_t classes) {
  if (class_step == 1) {
    best_of_pixels(best, row, pixel_step, n, classes, -__builtin_inff());
  } else {
    best_of_planes(best, row, class_step, n, classes, -__builtin_inff());
  }
}

void best_i8(uint8_t* best, const int8_t* row, int64_t pixel_step, int64_t class_step, int32_t n, int32_t classes) {
  if (class_step == 1) {
    best_of_pixels(best, row, pixel_step, n, classes, static_cast<int8_t>(-128));
  } else {
    best_of_planes(best, row, class_step, n, classes, static_cast<int8_t>(-128));
  }
}

template <typename T>
inline void blend(float* dst, const T* a, const T* b, int64_t stride, int32_t classes, float weight) {
  const float rest = 1.0f - weight;
  if (stride == 1) {
    for (int32_t c = 0; c < classes; ++c) dst[c] = static_cast<float>(a[c]) * rest + static_cast<float>(b[c]) * weight;
    return;
  }
  for (int32_t c = 0; c < classes; ++c) {
    dst[c] = static_cast<float>(a[c * stride]) * rest + static_cast<float>(b[c * stride]) * weight;
  }
}

void blend_f32(float* dst, const float* a, const float* b, int64_t stride, int32_t classes, float weight) {
  blend(dst, a, b, stride, classes, weight);
}

void blend_i8(float* dst, const int8_t* a, const int8_t* b, int64_t stride, int32_t classes, float weight) {
  blend(dst, a, b, stride, classes, weight);
}

int32_t best_of(float* scores, int32_t classes) {
  float largest = -__builtin_inff();
  for (int32_t c = 0; c < classes; ++c) scores[c] = scores[c] == scores[c] ? scores[c] : -__builtin_inff();
  for (int32_t c = 0; c < classes; ++c) largest = scores[c] > largest ? scores[c] : largest;
  int32_t c = 0;
  while (scores[c] != largest) ++c;  // ends: the largest is one of them
  return c;
}
