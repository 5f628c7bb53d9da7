// Top-k and softmax: every instruction set against scalar, scalar against a plain sort and float64.
#include "mobilekit/scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "every_isa.h"
#include "guarded.h"
#include "mobilekit/isa.h"

namespace mobilekit {
namespace {

constexpr int kCounts[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 1000, 6625};

class ScoresOnEveryIsa : public OnEveryIsa {};

MK_ON_EVERY_ISA(ScoresOnEveryIsa);

template <typename T>
std::vector<int32_t> sorted_indices(const std::vector<T>& x) {
  std::vector<int32_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](int32_t i) { return std::isnan(double(x[size_t(i)])) ? -INFINITY : double(x[size_t(i)]); };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const bool na = std::isnan(double(x[size_t(a)])), nb = std::isnan(double(x[size_t(b)]));
    return na != nb ? nb : key(a) > key(b);
  });
  return order;
}

TEST_P(ScoresOnEveryIsa, TopKEqualsAStableSort) {
  std::mt19937 random(1);
  for (const int n : kCounts) {
    for (const int k : {1, 2, 5, n / 2, n}) {
      if (k < 1 || k > n) continue;
      Guarded memory(size_t(n) * 4, Edge::kEnd), memory8(size_t(n), Edge::kEnd);
      float* const x = reinterpret_cast<float*>(memory.data());
      int8_t* const q = reinterpret_cast<int8_t*>(memory8.data());
      for (int i = 0; i < n; ++i) {
        q[i] = int8_t(int(random() % 256) - 128);
        x[i] = random() % 50 == 0 ? NAN : random() % 60 == 0 ? -INFINITY : float(int(random() % 40)) / 8;  // many ties
      }
      std::vector<int32_t> indices(static_cast<size_t>(k));
      std::vector<float> values(static_cast<size_t>(k));
      auto expected = sorted_indices(std::vector<float>(x, x + n));
      expected.resize(size_t(k));
      ASSERT_EQ(MK_OK, mk_top_k_f32(x, n, k, indices.data(), values.data()));
      ASSERT_EQ(expected, indices) << n << " " << k;
      for (size_t i = 0; i < size_t(k); ++i) {
        ASSERT_TRUE(values[i] == x[indices[i]] || (std::isnan(values[i]) && std::isnan(x[indices[i]])));
      }
      expected = sorted_indices(std::vector<int8_t>(q, q + n));
      expected.resize(size_t(k));
      ASSERT_EQ(MK_OK, mk_top_k_i8(q, n, k, 0.5f, -3, indices.data(), values.data()));
      ASSERT_EQ(expected, indices) << n << " " << k;
      for (size_t i = 0; i < size_t(k); ++i) ASSERT_EQ(0.5f * float(q[indices[i]] + 3), values[i]);
    }
  }
}

TEST_P(ScoresOnEveryIsa, SoftmaxIsNearFloat64AndEqualToScalar) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal(0, 8);
  for (const int n : kCounts) {
    std::vector<float> x(static_cast<size_t>(n)), y(x.size()), scalar(x.size());
    for (float& v : x) v = normal(random);
    ASSERT_EQ(MK_OK, mk_softmax_f32(x.data(), n, y.data()));
    const double largest = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (const float v : x) sum += std::exp(double(v) - largest);
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = std::exp(double(x[i]) - largest) / sum;
      // Relative: 2^-24 for each of the subtraction's argument error times |x| <= 60 (3.6e-6), the polynomial (2e-7) and the sum.
      ASSERT_NEAR(expected, y[i], 5e-6 * expected + 1e-38) << n << " " << i;
    }
    mk_isa_force(MK_ISA_SCALAR);
    ASSERT_EQ(MK_OK, mk_softmax_f32(x.data(), n, scalar.data()));
    mk_isa_force(GetParam());
    ASSERT_EQ(scalar, y);
    ASSERT_EQ(MK_OK, mk_softmax_f32(y.data(), n, y.data()));  // in place
  }
}

TEST_P(ScoresOnEveryIsa, SoftmaxOfInt8IsTheSoftmaxOfItsValues) {
  std::mt19937 random(3);
  for (const int n : kCounts) {
    std::vector<int8_t> q(static_cast<size_t>(n));
    for (int8_t& v : q) v = int8_t(int(random() % 256) - 128);
    std::vector<float> y(q.size());
    ASSERT_EQ(MK_OK, mk_softmax_i8(q.data(), n, 0.11f, y.data()));
    double sum = 0;
    const int largest = *std::max_element(q.begin(), q.end());
    for (const int8_t v : q) sum += std::exp(double(0.11f) * (v - largest));
    for (size_t i = 0; i < q.size(); ++i) {
      const double expected = std::exp(double(0.11f) * (q[i] - largest)) / sum;
      ASSERT_NEAR(expected, y[i], 5e-6 * expected + 1e-38);
    }
  }
}

TEST_P(ScoresOnEveryIsa, SoftmaxOfWhatIsNoNumberIsNaN) {
  for (const float bad : {NAN, INFINITY}) {
    for (const int n : {1, 20}) {
      std::vector<float> x(static_cast<size_t>(n), 1.0f), y(x.size());
      x[x.size() / 2] = bad;
      ASSERT_EQ(MK_OK, mk_softmax_f32(x.data(), n, y.data()));
      for (const float v : y) EXPECT_TRUE(std::isnan(v));
    }
  }
  const float x[] = {0, -INFINITY, 0};
  float y[3];
  ASSERT_EQ(MK_OK, mk_softmax_f32(x, 3, y));
  EXPECT_EQ(0.5f, y[0]);
  EXPECT_EQ(0.0f, y[1]);
}

TEST(Scores, NameTheBadArgument) {
  const float x[] = {1, 2};
  const int8_t q[] = {1, 2};
  int32_t index[2];
  float value[2];
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_top_k_f32(nullptr, 2, 1, index, value));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_top_k_f32(x, 2, 1, nullptr, value));
  EXPECT_EQ(MK_ERROR_SIZE, mk_top_k_f32(x, 0, 1, index, value));
  EXPECT_EQ(MK_ERROR_SIZE, mk_top_k_f32(x, -1, 1, index, value));
  EXPECT_EQ(MK_ERROR_RANGE, mk_top_k_f32(x, 2, 0, index, value));
  EXPECT_EQ(MK_ERROR_RANGE, mk_top_k_f32(x, 2, 3, index, value));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_top_k_i8(q, 2, 1, 0, 0, index, value));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_top_k_i8(q, 2, 1, NAN, 0, index, value));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_top_k_i8(q, 2, 1, 1, 128, index, value));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_softmax_i8(q, 2, -1, value));
  EXPECT_EQ(MK_ERROR_SIZE, mk_softmax_f32(x, 0, value));
}

}  // namespace
}  // namespace mobilekit
