// Segmentation: every instruction set against a plain loop, between guard pages.
#include "mobilekit/segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "every_isa.h"
#include "guarded.h"
#include "mobilekit/isa.h"

namespace mobilekit {
namespace {

// Row `y`, column `x` of the mask by the header's definition.
template <typename T>
uint8_t truth(const mk_segment_args& a, int x, int y) {
  const auto sample = [](int start, int length, int count, int i, int at[2]) {
    const double p = std::clamp((i + 0.5) * length / count - 0.5, 0.0, double(length - 1));
    at[0] = start + int(p);
    const float weight = float(p - int(p));
    at[1] = at[0] + (weight > 0 ? 1 : 0);
    return weight;
  };
  int xs[2], ys[2];
  const float wx = sample(a.rect_x, a.rect_width, a.out_width, x, xs);
  const float wy = sample(a.rect_y, a.rect_height, a.out_height, y, ys);
  const auto score = [&](int px, int py, int c) {
    const int64_t pixel = int64_t{py} * a.width + px;
    const T* const data = static_cast<const T*>(a.data);
    return float(a.layout == MK_LAYOUT_NHWC ? data[pixel * a.classes + c]
                                            : data[int64_t{c} * a.width * a.height + pixel]);
  };
  const auto best = [&](auto value) {
    int at = 0;
    float largest = -INFINITY;
    for (int c = 0; c < a.classes; ++c) {
      const float v = value(c);
      if (v > largest) largest = v, at = c;
    }
    return at;
  };
  const int corner = best([&](int c) { return score(xs[0], ys[0], c); });
  bool agree = true;
  for (const int px : xs) {
    for (const int py : ys) agree &= corner == best([&](int c) { return score(px, py, c); });
  }
  if (agree) return uint8_t(corner);
  const auto side = [&](int px, int c) {
    const float v = score(px, ys[0], c) * (1 - wy) + score(px, ys[1], c) * wy;
    return std::isnan(v) ? -INFINITY : v;
  };
  const auto left = [&](int c) { return side(xs[0], c); };
  const auto right = [&](int c) { return side(xs[1], c); };
  const int best_left = best(left), best_right = best(right);
  if (best_left == best_right) return uint8_t(best_left);
  return uint8_t(best([&](int c) {
    const bool competes = c == best_left || c == best_right ||
                          (left(c) > left(best_right) && right(c) > right(best_left));
    return competes ? left(c) * (1 - wx) + right(c) * wx : -INFINITY;
  }));
}

class SegmentOnEveryIsa : public OnEveryIsa {};

MK_ON_EVERY_ISA(SegmentOnEveryIsa);

TEST_P(SegmentOnEveryIsa, EqualsThePlainLoopBetweenGuardPages) {
  std::mt19937 random(1);
  for (const int width : {1, 2, 63, 64, 65, 130}) {
    for (const int classes : {1, 2, 7, 8, 9, 21, 256}) {
      for (int variant = 0; variant < 4; ++variant) {
        mk_segment_args a = {};
        a.dtype = variant & 1 ? MK_DTYPE_INT8 : MK_DTYPE_FLOAT32;
        a.layout = variant & 2 ? MK_LAYOUT_NCHW : MK_LAYOUT_NHWC;
        a.width = width;
        a.height = 3;
        a.classes = classes;
        a.rect_x = width / 4;
        a.rect_width = width - width / 4;
        a.rect_height = 3;
        a.out_width = width + 7;
        a.out_height = 5;
        a.out_row_stride = a.out_width + 3;
        const size_t element = a.dtype == MK_DTYPE_INT8 ? 1 : 4;
        const size_t count = size_t(width) * 3 * size_t(classes);
        Guarded memory(count * element, variant & 1 ? Edge::kBegin : Edge::kEnd);
        for (size_t i = 0; i < count; ++i) {
          const int level = int(random() % 5) - 2;  // ties and borders everywhere
          if (element == 1) {
            memory.data()[i] = uint8_t(level);
          } else {
            reinterpret_cast<float*>(memory.data())[i] = random() % 20 == 0 ? NAN : float(level);
          }
        }
        a.data = memory.data();
        a.data_bytes = int64_t(memory.size());
        Guarded out(size_t(4 * a.out_row_stride + a.out_width), Edge::kEnd);
        a.out = out.data();
        a.out_bytes = int64_t(out.size());
        ASSERT_EQ(MK_OK, mk_segment_check(&a));
        const int64_t bytes = mk_segment_scratch_bytes(&a);
        Guarded scratch(size_t(bytes), Edge::kEnd);
        ASSERT_EQ(MK_OK, mk_segment(&a, 0, 2, scratch.data(), bytes));
        ASSERT_EQ(MK_OK, mk_segment(&a, 2, 5, scratch.data(), bytes));
        for (int y = 0; y < 5; ++y) {
          for (int x = 0; x < a.out_width; ++x) {
            const uint8_t expected = element == 1 ? truth<int8_t>(a, x, y) : truth<float>(a, x, y);
            ASSERT_EQ(expected, a.out[y * a.out_row_stride + x]) << width << " " << classes << " " << variant;
          }
        }
      }
    }
  }
}

TEST(Segment, NamesTheBadArgument) {
  float data[2 * 2 * 3] = {};
  uint8_t out[4];
  mk_segment_args good = {};
  good.data = data;
  good.data_bytes = sizeof data;
  good.dtype = MK_DTYPE_FLOAT32;
  good.width = good.height = good.rect_width = good.rect_height = 2;
  good.classes = 3;
  good.out = out;
  good.out_bytes = sizeof out;
  good.out_row_stride = good.out_width = good.out_height = 2;
  ASSERT_EQ(MK_OK, mk_segment_check(&good));
  const auto status = [&](auto change) {
    mk_segment_args a = good;
    change(a);
    EXPECT_EQ(0, mk_segment_scratch_bytes(&a));
    return mk_segment_check(&a);
  };
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_segment_check(nullptr));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, status([](auto& a) { a.data = nullptr; }));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, status([](auto& a) { a.out = nullptr; }));
  EXPECT_EQ(MK_ERROR_DTYPE, status([](auto& a) { a.dtype = MK_DTYPE_INT16; }));
  EXPECT_EQ(MK_ERROR_LAYOUT, status([](auto& a) { a.layout = 2; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](auto& a) { a.width = 0; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](auto& a) { a.out_height = MK_MAX_SIZE + 1; }));
  EXPECT_EQ(MK_ERROR_CHANNELS, status([](auto& a) { a.classes = 257; }));
  EXPECT_EQ(MK_ERROR_RANGE, status([](auto& a) { a.rect_x = 1; }));
  EXPECT_EQ(MK_ERROR_RANGE, status([](auto& a) { a.rect_height = 0; }));
  EXPECT_EQ(MK_ERROR_ALIGNMENT, status([](auto& a) { a.data = reinterpret_cast<const uint8_t*>(a.data) + 1; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](auto& a) { a.data_bytes -= 1; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](auto& a) { a.out_bytes -= 1; }));
  EXPECT_EQ(MK_ERROR_ROW_STRIDE, status([](auto& a) { a.out_row_stride = 1; }));
  EXPECT_EQ(MK_ERROR_ROW_STRIDE, status([](auto& a) { a.out_row_stride = INT64_MAX; }));
  EXPECT_EQ(MK_ERROR_OVERLAP, status([](auto& a) {
              a.out = const_cast<uint8_t*>(static_cast<const uint8_t*>(a.data)) + 44;
            }));
  std::vector<uint8_t> scratch(static_cast<size_t>(mk_segment_scratch_bytes(&good)));
  EXPECT_EQ(MK_ERROR_RANGE, mk_segment(&good, 1, 3, scratch.data(), int64_t(scratch.size())));
  EXPECT_EQ(MK_ERROR_RANGE, mk_segment(&good, 2, 1, scratch.data(), int64_t(scratch.size())));
  EXPECT_EQ(MK_ERROR_SCRATCH, mk_segment(&good, 0, 2, scratch.data(), int64_t(scratch.size()) - 1));
}

}  // namespace
}  // namespace mobilekit
