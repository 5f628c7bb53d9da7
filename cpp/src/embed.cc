// Embeddings: arguments, and what is done once a vector.
#include "embed.h"

#include "mobilekit/embed.h"

namespace mobilekit {
namespace {

int32_t check(const void* x, int32_t n, const void* out) {
  if (x == nullptr || out == nullptr) return MK_ERROR_NULL_POINTER;
  return n >= 1 && n <= MK_MAX_SIZE ? MK_OK : MK_ERROR_SIZE;
}

int32_t check_cosine(const void* query, const void* gallery, int32_t rows, int32_t n, const void* out) {
  if (gallery == nullptr) return MK_ERROR_NULL_POINTER;
  if (rows < 1 || rows > MK_MAX_SIZE) return MK_ERROR_SIZE;
  return check(query, n, out);
}

bool is_int8(int32_t zero_point) { return zero_point >= -128 && zero_point <= 127; }

template <typename T>
bool aligned(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % sizeof(T) == 0;
}

float cosine(double dot, double squares_a, double squares_b) {
  if (squares_a == 0 || squares_b == 0) return 0.0f;
  const double c = dot / (__builtin_sqrt(squares_a) * __builtin_sqrt(squares_b));
  return static_cast<float>(c > 1 ? 1 : c < -1 ? -1 : c);
}

}  // namespace
}  // namespace mobilekit

extern "C" {

int32_t mk_l2_normalize_f32(const float* x, int32_t n, float* out) {
  using namespace mobilekit;
  const int32_t status = check(x, n, out);
  if (status != MK_OK) return status;
  if (!aligned(x) || !aligned(out)) return MK_ERROR_ALIGNMENT;
  const EmbedOps& ops = embed_ops();
  const double squares = ops.dot_f32(x, x, n);
  // An infinite vector has no direction: 0 * inf makes every element NaN, not only the infinite ones.
  const double length = squares == 0 ? 1.0 : __builtin_sqrt(squares) + 0.0 * squares;
  ops.scale_f32(out, x, n, length);
  return MK_OK;
}

int32_t mk_l2_normalize_i8(const int8_t* x, int32_t n, int32_t zero_point, float* out) {
  using namespace mobilekit;
  const int32_t status = check(x, n, out);
  if (status != MK_OK) return status;
  if (!is_int8(zero_point)) return MK_ERROR_NORMALIZATION;
  if (!aligned(out)) return MK_ERROR_ALIGNMENT;
  const EmbedOps& ops = embed_ops();
  const int64_t squares = ops.dot_i8(x, zero_point, x, zero_point, n);
  ops.scale_i8(out, x, zero_point, n, squares == 0 ? 1.0 : __builtin_sqrt(static_cast<double>(squares)));
  return MK_OK;
}

int32_t mk_cosine_f32(const float* query, const float* gallery, int32_t rows, int32_t n, float* out) {
  using namespace mobilekit;
  const int32_t status = check_cosine(query, gallery, rows, n, out);
  if (status != MK_OK) return status;
  if (!aligned(query) || !aligned(gallery) || !aligned(out)) return MK_ERROR_ALIGNMENT;
  const EmbedOps& ops = embed_ops();
  const double squares = ops.dot_f32(query, query, n);
  for (int32_t j = 0; j < rows; ++j) {
    const float* const row = gallery + int64_t{j} * n;
    out[j] = cosine(ops.dot_f32(query, row, n), squares, ops.dot_f32(row, row, n));
  }
  return MK_OK;
}

int32_t mk_cosine_i8(const int8_t* query, int32_t query_zero_point, const int8_t* gallery, int32_t gallery_zero_point,
                     int32_t rows, int32_t n, float* out) {
  using namespace mobilekit;
  const int32_t status = check_cosine(query, gallery, rows, n, out);
  if (status != MK_OK) return status;
  if (!is_int8(query_zero_point) || !is_int8(gallery_zero_point)) return MK_ERROR_NORMALIZATION;
  if (!aligned(out)) return MK_ERROR_ALIGNMENT;
  const EmbedOps& ops = embed_ops();
  const int64_t squares = ops.dot_i8(query, query_zero_point, query, query_zero_point, n);
  for (int32_t j = 0; j < rows; ++j) {
    const int8_t* const row = gallery + int64_t{j} * n;
    const int64_t dot = ops.dot_i8(query, query_zero_point, row, gallery_zero_point, n);
    const int64_t row_squares = ops.dot_i8(row, gallery_zero_point, row, gallery_zero_point, n);
    out[j] = cosine(static_cast<double>(dot), static_cast<double>(squares), static_cast<double>(row_squares));
  }
  return MK_OK;
}

}  // extern "C"
