// Top-k and softmax: arguments, the heap, and the calls into the loops of the instruction set in use.
#include "mobilekit/scores.h"

#include "scores.h"

namespace mobilekit {
namespace {

bool is_finite(float x) { return x - x == 0.0f; }

// A total order in which equal scores are told apart by their index and NaN comes last.
struct Entry {
  int32_t index;
  float value;
};

bool before(const Entry& a, const Entry& b) {
  if (a.value > b.value) return true;
  if (a.value < b.value) return false;
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan != b_nan) return b_nan;
  return a.index < b.index;
}

// The k best so far, the worst of them at the root; lives in the caller's two output arrays.
class WorstFirstHeap {
 public:
  WorstFirstHeap(int32_t* indices, float* values) : indices_(indices), values_(values) {}

  float worst() const { return values_[0]; }

  void push(Entry entry) {
    int32_t at = size_++;
    while (at > 0) {
      const int32_t parent = (at - 1) / 2;
      if (!before(get(parent), entry)) break;
      set(at, get(parent));
      at = parent;
    }
    set(at, entry);
  }

  void replace_worst(Entry entry) { sift_down(0, entry); }

  // Heap sort: the worst goes to the end each time, which leaves the best first.
  void sort() {
    while (size_ > 1) {
      const Entry worst = get(0), last = get(--size_);
      sift_down(0, last);
      set(size_, worst);
    }
  }

 private:
  Entry get(int32_t i) const { return {indices_[i], values_[i]}; }
  void set(int32_t i, Entry entry) {
    indices_[i] = entry.index;
    values_[i] = entry.value;
  }

  void sift_down(int32_t at, Entry entry) {
    for (;;) {
      int32_t child = 2 * at + 1;
      if (child >= size_) break;
      if (child + 1 < size_ && before(get(child), get(child + 1))) ++child;
      if (!before(entry, get(child))) break;
      set(at, get(child));
      at = child;
    }
    set(at, entry);
  }

  int32_t* indices_;
  float* values_;
  int32_t size_ = 0;
};

int32_t check_top_k(const void* scores, int32_t n, int32_t k, const int32_t* indices, const float* values) {
  if (scores == nullptr || indices == nullptr || values == nullptr) return MK_ERROR_NULL_POINTER;
  if (n < 1 || n > MK_MAX_SIZE) return MK_ERROR_SIZE;
  if (k < 1 || k > n) return MK_ERROR_RANGE;
  return MK_OK;
}

}  // namespace
}  // namespace mobilekit

extern "C" {

int32_t mk_top_k_f32(const float* scores, int32_t n, int32_t k, int32_t* indices, float* values) {
  using namespace mobilekit;
  const int32_t status = check_top_k(scores, n, k, indices, values);
  if (status != MK_OK) return status;
  const ScoreOps& ops = score_ops();
  WorstFirstHeap heap(indices, values);
  for (int32_t i = 0; i < k; ++i) heap.push({i, scores[i]});
  // A later score that only equals the worst kept one loses to it: strictly above is all that matters.
  for (int32_t i = k; (i = ops.next_above_f32(scores, i, n, heap.worst())) < n; ++i) heap.replace_worst({i, scores[i]});
  heap.sort();
  return MK_OK;
}

int32_t mk_top_k_i8(const int8_t* scores, int32_t n, int32_t k, float scale, int32_t zero_point, int32_t* indices,
                    float* values) {
  using namespace mobilekit;
  const int32_t status = check_top_k(scores, n, k, indices, values);
  if (status != MK_OK) return status;
  if (!is_finite(scale) || !(scale > 0) || zero_point < -128 || zero_point > 127) return MK_ERROR_NORMALIZATION;
  const ScoreOps& ops = score_ops();
  WorstFirstHeap heap(indices, values);
  for (int32_t i = 0; i < k; ++i) heap.push({i, static_cast<float>(scores[i])});
  for (int32_t i = k; (i = ops.next_above_i8(scores, i, n, static_cast<int32_t>(heap.worst()))) < n; ++i) {
    heap.replace_worst({i, static_cast<float>(scores[i])});
  }
  heap.sort();
  for (int32_t i = 0; i < k; ++i) values[i] = scale * (values[i] - static_cast<float>(zero_point));
  return MK_OK;
}

int32_t mk_softmax_f32(const float* scores, int32_t n, float* probabilities) {
  using namespace mobilekit;
  if (scores == nullptr || probabilities == nullptr) return MK_ERROR_NULL_POINTER;
  if (n < 1 || n > MK_MAX_SIZE) return MK_ERROR_SIZE;
  const ScoreOps& ops = score_ops();
  const float total = ops.exp_sum(probabilities, scores, n, ops.max_f32(scores, n));
  ops.divide(probabilities, n, total);
  return MK_OK;
}

int32_t mk_softmax_i8(const int8_t* scores, int32_t n, float scale, float* probabilities) {
  using namespace mobilekit;
  if (scores == nullptr || probabilities == nullptr) return MK_ERROR_NULL_POINTER;
  if (n < 1 || n > MK_MAX_SIZE) return MK_ERROR_SIZE;
  if (!is_finite(scale) || !(scale > 0)) return MK_ERROR_NORMALIZATION;
  const ScoreOps& ops = score_ops();
  const int32_t max = ops.max_i8(scores, n);
  float exponent[256];  // by how far a score lies below the largest
  for (int32_t d = 0; d < 256; ++d) exponent[d] = -scale * static_cast<float>(d);
  ops.exp_sum(exponent, exponent, 256, 0.0f);
  for (int32_t i = 0; i < n; ++i) probabilities[i] = exponent[max - scores[i]];
  ops.divide(probabilities, n, ops.sum(probabilities, n));
  return MK_OK;
}

}  // extern "C"
