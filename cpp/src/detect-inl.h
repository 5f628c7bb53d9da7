// The loops of detection, in a shape that compilers vectorise; see scores-inl.h.
template <typename T>
inline void max_block(T* best, const T* data, int64_t stride, int32_t rows) {
  T largest[kAnchorBlock];
  for (int32_t j = 0; j < kAnchorBlock; ++j) largest[j] = best[j];
  for (int32_t c = 0; c < rows; ++c) {
    const T* row = data + c * stride;
    for (int32_t j = 0; j < kAnchorBlock; ++j) largest[j] = row[j] > largest[j] ? row[j] : largest[j];
  }
  for (int32_t j = 0; j < kAnchorBlock; ++j) best[j] = largest[j];
}

template <typename T>
inline void max_columns(T* best, const T* data, int64_t stride, int32_t rows, int32_t columns, T lowest) {
  for (int32_t j = 0; j < kAnchorBlock; ++j) best[j] = lowest;
  if (columns == kAnchorBlock) {
    max_block(best, data, stride, rows);
    return;
  }
  for (int32_t c = 0; c < rows; ++c) {
    for (int32_t j = 0; j < columns; ++j) best[j] = data[c * stride + j] > best[j] ? data[c * stride + j] : best[j];
  }
}

void max_columns_f32(float* best, const float* data, int64_t stride, int32_t rows, int32_t columns) {
  max_columns(best, data, stride, rows, columns, -__builtin_inff());
}

void max_columns_i8(int8_t* best, const int8_t* data, int64_t stride, int32_t rows, int32_t columns) {
  max_columns(best, data, stride, rows, columns, static_cast<int8_t>(-128));
}

template <typename T>
inline void class_columns(int32_t* class_id, const T* best, const T* data, int64_t stride, int32_t rows,
                          int32_t columns) {
  for (int32_t j = 0; j < columns; ++j) class_id[j] = 0;
  for (int32_t c = rows - 1; c >= 0; --c) {  // from the last, so that the lowest stays
    const T* row = data + c * stride;
    for (int32_t j = 0; j < columns; ++j) class_id[j] = row[j] == best[j] ? c : class_id[j];
  }
}

void class_columns_f32(int32_t* class_id, const float* best, const float* data, int64_t stride, int32_t rows,
                       int32_t columns) {
  class_columns(class_id, best, data, stride, rows, columns);
}

void class_columns_i8(int32_t* class_id, const int8_t* best, const int8_t* data, int64_t stride, int32_t rows,
                      int32_t columns) {
  class_columns(class_id, best, data, stride, rows, columns);
}

bool suppressed(const KeptBoxes& kept, int32_t count, const Box& box, float threshold) {
  for (int32_t i = 0; i < count; i += kKeptBlock) {
    float inter[kKeptBlock];
    float most = 0;
    for (int32_t j = 0; j < kKeptBlock; ++j) {
      const float left = kept.x1[i + j] > box.x1 ? kept.x1[i + j] : box.x1;
      const float top = kept.y1[i + j] > box.y1 ? kept.y1[i + j] : box.y1;
      const float right = kept.x2[i + j] < box.x2 ? kept.x2[i + j] : box.x2;
      const float bottom = kept.y2[i + j] < box.y2 ? kept.y2[i + j] : box.y2;
      const float w = right - left, h = bottom - top;
      const bool overlap = (w > 0) & (h > 0) & (kept.class_id[i + j] == box.class_id);
      inter[j] = overlap ? w * h : 0.0f;
    }
    for (int32_t j = 0; j < kKeptBlock; ++j) most = inter[j] > most ? inter[j] : most;
    if (!(most > 0)) continue;  // divisions are dear and most boxes lie apart
    for (int32_t j = 0; j < kKeptBlock; ++j) {
      if (inter[j] > 0 && inter[j] / (box.area + kept.area[i + j] - inter[j]) > threshold) return true;
    }
  }
  return false;
}
