// Segmentation: arguments, geometry, and the walk over the rows of the mask.
#include "segment.h"

#include <string.h>

#include "mobilekit/segment.h"
#include "scratch.h"

namespace mobilekit {
namespace {

struct Sample {
  int32_t first, second;  // source pixels; equal where the weight is 0, so that 0 * infinity never is a score
  float weight;           // of the second
};

Sample sample_of(int32_t start, int32_t length, int32_t count, int32_t i) {
  const double at = (i + 0.5) * length / count - 0.5;
  if (at <= 0) return {start, start, 0.0f};
  if (at >= length - 1) return {start + length - 1, start + length - 1, 0.0f};
  const int32_t whole = static_cast<int32_t>(at);
  const float weight = static_cast<float>(at - whole);
  return {start + whole, start + whole + (weight > 0 ? 1 : 0), weight};
}

// A row of the tensor and the best class of each of its pixels inside the rectangle.
struct ClassRow {
  int32_t y;
  uint8_t* best;  // index 0 is rect_x
};

// Samples begin .. (begin of the next) - 1 of a row lie between the same two columns: what these say is found once.
struct Pair {
  int32_t first, second, begin;
};

constexpr int16_t kMixed = -1;  // the four pixels around a sample do not agree on a class

struct Space {
  uint8_t* rows[2];
  Sample* columns;
  Pair* pairs;
  int16_t* agreed;  // of each pair: the class, or kMixed
};

Space take_space(Scratch& scratch, const mk_segment_args& a) {
  Space space;
  for (uint8_t*& row : space.rows) row = scratch.take<uint8_t>(a.rect_width);
  space.columns = scratch.take<Sample>(a.out_width);
  space.pairs = scratch.take<Pair>(int64_t{a.out_width} + 1);
  space.agreed = scratch.take<int16_t>(a.out_width);
  return space;
}

void best_classes(const SegmentOps& ops, uint8_t* best, const float* row, int64_t pixel_step, int64_t class_step,
                  int32_t n, int32_t classes) {
  ops.best_f32(best, row, pixel_step, class_step, n, classes);
}

void best_classes(const SegmentOps& ops, uint8_t* best, const int8_t* row, int64_t pixel_step, int64_t class_step,
                  int32_t n, int32_t classes) {
  ops.best_i8(best, row, pixel_step, class_step, n, classes);
}

void blend_pixels(const SegmentOps& ops, float* dst, const float* a, const float* b, int64_t stride, int32_t classes,
                  float weight) {
  ops.blend_f32(dst, a, b, stride, classes, weight);
}

void blend_pixels(const SegmentOps& ops, float* dst, const int8_t* a, const int8_t* b, int64_t stride,
                  int32_t classes, float weight) {
  ops.blend_i8(dst, a, b, stride, classes, weight);
}

template <typename T>
class Walk {
 public:
  Walk(const mk_segment_args& args, const Space& space)
      : a_(args),
        data_(static_cast<const T*>(args.data)),
        columns_(space.columns),
        pairs_(space.pairs),
        agreed_(space.agreed),
        ops_(segment_ops()) {
    const bool nhwc = a_.layout == MK_LAYOUT_NHWC;
    pixel_step_ = nhwc ? a_.classes : 1;
    class_step_ = nhwc ? 1 : int64_t{a_.width} * a_.height;
    for (int i = 0; i < 2; ++i) rows_[i] = {-1, space.rows[i]};
    for (int32_t x = 0; x < a_.out_width; ++x) {
      const Sample s = columns_[x] = sample_of(a_.rect_x, a_.rect_width, a_.out_width, x);
      const bool same = x > 0 && s.first == columns_[x - 1].first && s.second == columns_[x - 1].second;
      if (!same) pairs_[pair_count_++] = {s.first, s.second, x};
    }
    pairs_[pair_count_].begin = a_.out_width;
  }

  void run(int32_t first_row, int32_t end_row) {
    for (int32_t y = first_row; y < end_row; ++y) {
      const Sample row = sample_of(a_.rect_y, a_.rect_height, a_.out_height, y);
      load_classes(row.first, row.second);
      write_row(a_.out + y * a_.out_row_stride, row);
    }
  }

 private:
  // rows_[0] and rows_[1] <- the classes of two rows. Walking down, the second is often the next first.
  void load_classes(int32_t first, int32_t second) {
    if (rows_[1].y == first) {
      const ClassRow swap = rows_[0];
      rows_[0] = rows_[1];
      rows_[1] = swap;
    }
    load_row(rows_[0], first);
    if (second != first) load_row(rows_[1], second);
  }

  void load_row(ClassRow& row, int32_t y) {
    if (row.y == y) return;
    best_classes(ops_, row.best, pixel(a_.rect_x, y), pixel_step_, class_step_, a_.rect_width, a_.classes);
    row.y = y;
  }

  const T* pixel(int32_t x, int32_t y) const { return data_ + (int64_t{y} * a_.width + x) * pixel_step_; }

  void write_row(uint8_t* out, const Sample& row) {
    find_agreement(row.first, row.second);
    for (int32_t p = 0; p < pair_count_;) {
      if (agreed_[p] == kMixed) {
        write_mixed(out, pairs_[p], pairs_[p + 1].begin, row);
        ++p;
        continue;
      }
      int32_t end = p + 1;
      while (end < pair_count_ && agreed_[end] == agreed_[p]) ++end;
      const int32_t begin = pairs_[p].begin;
      memset(out + begin, agreed_[p], static_cast<size_t>(pairs_[end].begin - begin));
      p = end;
    }
  }

  void find_agreement(int32_t first, int32_t second) {
    if (agreed_at_[0] == first && agreed_at_[1] == second) return;
    agreed_at_[0] = first;
    agreed_at_[1] = second;
    const uint8_t* const top = rows_[0].best;
    const uint8_t* const bottom = second == first ? top : rows_[1].best;
    for (int32_t p = 0; p < pair_count_; ++p) {
      const int32_t i = pairs_[p].first - a_.rect_x, j = pairs_[p].second - a_.rect_x;
      const bool agree = (top[i] == top[j]) & (top[i] == bottom[i]) & (top[i] == bottom[j]);
      agreed_[p] = agree ? top[i] : kMixed;
    }
  }

  // The samples of a pair whose pixels do not agree.
  void write_mixed(uint8_t* out, const Pair& pair, int32_t end, const Sample& row) const {
    float left[kMaxClasses], right[kMaxClasses];
    const int32_t best_left = blend_column(left, pair.first, row), best_right = blend_column(right, pair.second, row);
    if (best_left == best_right) {
      memset(out + pair.begin, best_left, static_cast<size_t>(end - pair.begin));
      return;
    }
    // Two or three classes can still win: the others lie below one of these two at both ends.
    int32_t candidates[kMaxClasses], n = 0;
    const float left_of_right = left[best_right], right_of_left = right[best_left];
    for (int32_t c = 0; c < a_.classes; ++c) {
      candidates[n] = c;
      n += (left[c] > left_of_right && right[c] > right_of_left) || c == best_left || c == best_right;
    }
    for (int32_t x = pair.begin; x < end; ++x) {
      const float weight = columns_[x].weight, rest = 1.0f - weight;
      float largest = -__builtin_inff();
      int32_t winner = candidates[0];
      for (int32_t k = 0; k < n; ++k) {
        const float score = left[candidates[k]] * rest + right[candidates[k]] * weight;
        if (score > largest) {
          largest = score;
          winner = candidates[k];
        }
      }
      out[x] = static_cast<uint8_t>(winner);
    }
  }

  // dst <- the scores at column x, between two rows; the best class there.
  int32_t blend_column(float* dst, int32_t x, const Sample& row) const {
    blend_pixels(ops_, dst, pixel(x, row.first), pixel(x, row.second), class_step_, a_.classes, row.weight);
    return ops_.best_of(dst, a_.classes);
  }

  const mk_segment_args& a_;
  const T* const data_;
  Sample* const columns_;
  Pair* const pairs_;
  int16_t* const agreed_;
  int32_t pair_count_ = 0;
  int32_t agreed_at_[2] = {-1, -1};  // the rows that agreed_ is about
  const SegmentOps& ops_;
  int64_t pixel_step_, class_step_;
  ClassRow rows_[2];
};

bool fits(int32_t n) { return n >= 1 && n <= MK_MAX_SIZE; }

}  // namespace
}  // namespace mobilekit

extern "C" {

int32_t mk_segment_check(const mk_segment_args* args) {
  using namespace mobilekit;
  if (args == nullptr) return MK_ERROR_NULL_POINTER;
  const mk_segment_args& a = *args;
  if (a.data == nullptr || a.out == nullptr) return MK_ERROR_NULL_POINTER;
  if (a.dtype != MK_DTYPE_FLOAT32 && a.dtype != MK_DTYPE_INT8) return MK_ERROR_DTYPE;
  if (a.layout != MK_LAYOUT_NHWC && a.layout != MK_LAYOUT_NCHW) return MK_ERROR_LAYOUT;
  if (!fits(a.width) || !fits(a.height) || !fits(a.out_width) || !fits(a.out_height)) return MK_ERROR_SIZE;
  if (a.classes < 1 || a.classes > kMaxClasses) return MK_ERROR_CHANNELS;
  if (a.rect_x < 0 || a.rect_y < 0 || a.rect_width < 1 || a.rect_height < 1 || a.rect_width > a.width - a.rect_x ||
      a.rect_height > a.height - a.rect_y) {
    return MK_ERROR_RANGE;
  }
  const int64_t element = a.dtype == MK_DTYPE_FLOAT32 ? 4 : 1;
  if (reinterpret_cast<uintptr_t>(a.data) % static_cast<uintptr_t>(element) != 0) return MK_ERROR_ALIGNMENT;
  // 2^24 * 2^24 * 2^8 * 4 = 2^58.
  const int64_t bytes = int64_t{a.width} * a.height * a.classes * element;
  if (a.data_bytes < bytes) return MK_ERROR_BUFFER_TOO_SMALL;
  if (a.out_row_stride < a.out_width || a.out_row_stride > (int64_t{1} << 36)) return MK_ERROR_ROW_STRIDE;
  const int64_t out_bytes = int64_t{a.out_height - 1} * a.out_row_stride + a.out_width;
  if (a.out_bytes < out_bytes) return MK_ERROR_BUFFER_TOO_SMALL;
  const uintptr_t in_at = reinterpret_cast<uintptr_t>(a.data), out_at = reinterpret_cast<uintptr_t>(a.out);
  if (out_at < in_at + static_cast<uintptr_t>(bytes) && in_at < out_at + static_cast<uintptr_t>(out_bytes)) {
    return MK_ERROR_OVERLAP;
  }
  return MK_OK;
}

int64_t mk_segment_scratch_bytes(const mk_segment_args* args) {
  using namespace mobilekit;
  if (mk_segment_check(args) != MK_OK) return 0;
  Scratch count(nullptr);
  take_space(count, *args);
  return count.needed();
}

int32_t mk_segment(const mk_segment_args* args, int32_t first_row, int32_t end_row, void* scratch,
                   int64_t scratch_bytes) {
  using namespace mobilekit;
  const int32_t status = mk_segment_check(args);
  if (status != MK_OK) return status;
  if (first_row < 0 || end_row < first_row || end_row > args->out_height) return MK_ERROR_RANGE;
  if (scratch == nullptr || scratch_bytes < mk_segment_scratch_bytes(args)) return MK_ERROR_SCRATCH;
  Scratch pieces(scratch);
  const Space space = take_space(pieces, *args);
  if (args->dtype == MK_DTYPE_FLOAT32) {
    Walk<float>(*args, space).run(first_row, end_row);
  } else {
    Walk<int8_t>(*args, space).run(first_row, end_row);
  }
  return MK_OK;
}

}  // extern "C"
