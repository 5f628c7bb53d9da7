// Embeddings: every instruction set gives the bits of scalar, and scalar is near long double.
#include "mobilekit/embed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "every_isa.h"
#include "guarded.h"
#include "mobilekit/isa.h"

namespace mobilekit {
namespace {

class EmbedOnEveryIsa : public OnEveryIsa {};

MK_ON_EVERY_ISA(EmbedOnEveryIsa);

TEST_P(EmbedOnEveryIsa, EqualsScalarAndIsNearTheTruthBetweenGuardPages) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 3);
  constexpr float kStep = 1.0f / (1 << 23);  // a float64 result rounded to float32, the rounding tipped at most once
  for (const int n : {1, 2, 15, 16, 17, 31, 33, 128, 512, 16385}) {
    Guarded memory(size_t(n) * 4, Edge::kEnd), memory8(size_t(n) * 2, Edge::kBegin);
    float* const x = reinterpret_cast<float*>(memory.data());
    int8_t* const q = reinterpret_cast<int8_t*>(memory8.data());
    for (int i = 0; i < n; ++i) x[i] = normal(random);
    for (int i = 0; i < 2 * n; ++i) q[i] = int8_t(int(random() % 256) - 128);
    std::vector<float> unit(static_cast<size_t>(n)), unit8(unit.size()), scalar(unit.size());
    ASSERT_EQ(MK_OK, mk_l2_normalize_f32(x, n, unit.data()));
    ASSERT_EQ(MK_OK, mk_l2_normalize_i8(q, n, 7, unit8.data()));
    long double squares = 0, squares8 = 0, other8 = 0, dot8 = 0;
    for (int i = 0; i < n; ++i) {
      squares += (long double)x[i] * x[i];
      squares8 += (q[i] - 7) * (q[i] - 7);
      other8 += (q[n + i] + 9) * (q[n + i] + 9);
      dot8 += (q[i] - 7) * (q[n + i] + 9);
    }
    for (int i = 0; i < n; ++i) {
      const float expected = float(x[i] / std::sqrt(squares));
      ASSERT_NEAR(expected, unit[size_t(i)], kStep * std::fabs(expected));
      const float expected8 = squares8 == 0 ? 0 : float((q[i] - 7) / std::sqrt(squares8));
      ASSERT_NEAR(expected8, unit8[size_t(i)], kStep * std::fabs(expected8));
    }
    float c = 0, c8 = 0, c_scalar = 0;
    ASSERT_EQ(MK_OK, mk_cosine_f32(x, unit.data(), 1, n, &c));
    EXPECT_NEAR(1, c, kStep);
    ASSERT_EQ(MK_OK, mk_cosine_i8(q, 7, q + n, -9, 1, n, &c8));
    const float expected = squares8 == 0 || other8 == 0 ? 0 : float(dot8 / std::sqrt(squares8 * other8));
    EXPECT_NEAR(expected, c8, kStep * std::fabs(expected));
    mk_isa_force(MK_ISA_SCALAR);
    ASSERT_EQ(MK_OK, mk_l2_normalize_f32(x, n, scalar.data()));
    ASSERT_EQ(MK_OK, mk_cosine_f32(x, unit.data(), 1, n, &c_scalar));
    mk_isa_force(GetParam());
    ASSERT_EQ(scalar, unit);
    ASSERT_EQ(c_scalar, c);
    ASSERT_EQ(MK_OK, mk_l2_normalize_f32(x, n, x));  // in place
    ASSERT_EQ(unit, std::vector<float>(x, x + n));
  }
}

TEST_P(EmbedOnEveryIsa, WhatHasNoDirection) {
  const float zeros[3] = {}, bad[3] = {1, INFINITY, 0};
  float out[3] = {5, 5, 5};
  ASSERT_EQ(MK_OK, mk_l2_normalize_f32(zeros, 3, out));
  for (const float x : out) EXPECT_EQ(0.0f, x);
  ASSERT_EQ(MK_OK, mk_l2_normalize_f32(bad, 3, out));
  for (const float x : out) EXPECT_TRUE(std::isnan(x));
  ASSERT_EQ(MK_OK, mk_cosine_f32(zeros, bad, 1, 3, out));
  EXPECT_EQ(0.0f, out[0]);
}

TEST(Embed, NamesTheBadArgument) {
  const float x[] = {1, 2};
  const int8_t q[] = {1, 2};
  float out[2];
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_l2_normalize_f32(nullptr, 2, out));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_l2_normalize_i8(q, 2, 0, nullptr));
  EXPECT_EQ(MK_ERROR_SIZE, mk_l2_normalize_f32(x, 0, out));
  EXPECT_EQ(MK_ERROR_SIZE, mk_l2_normalize_f32(x, MK_MAX_SIZE + 1, out));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_l2_normalize_i8(q, 2, 128, out));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_cosine_f32(x, nullptr, 1, 2, out));
  EXPECT_EQ(MK_ERROR_SIZE, mk_cosine_f32(x, x, 0, 2, out));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_cosine_i8(q, 0, q, -129, 1, 2, out));
}

}  // namespace
}  // namespace mobilekit
