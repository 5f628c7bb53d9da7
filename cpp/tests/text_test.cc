// CTC decoding: every instruction set against a plain loop, and the beam against the sum over all alignments.
#include "mobilekit/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "every_isa.h"
#include "guarded.h"
#include "mobilekit/isa.h"

namespace mobilekit {
namespace {

class TextOnEveryIsa : public OnEveryIsa {};

MK_ON_EVERY_ISA(TextOnEveryIsa);

template <typename T>
std::vector<int32_t> by_the_book(const T* scores, int steps, int classes, int blank) {
  std::vector<int32_t> found;
  int before = blank;
  for (int t = 0; t < steps; ++t) {
    int best = -1;
    for (int c = 0; c < classes; ++c) {
      const T x = scores[t * classes + c];
      if (std::isnan(double(x))) continue;
      if (best < 0 || x > scores[t * classes + best]) best = c;
    }
    if (best < 0) best = blank;
    if (best != blank && best != before) found.push_back(best);
    before = best;
  }
  return found;
}

TEST_P(TextOnEveryIsa, GreedyEqualsThePlainLoopBetweenGuardPages) {
  std::mt19937 random(1);
  constexpr int kSteps = 9;
  for (const int classes : {1, 2, 15, 63, 64, 65, 127, 511, 512, 513, 577, 1024, 6625}) {
    for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
      Guarded memory(size_t(kSteps) * size_t(classes) * 4, edge), memory8(size_t(kSteps) * size_t(classes), edge);
      float* const x = reinterpret_cast<float*>(memory.data());
      int8_t* const q = reinterpret_cast<int8_t*>(memory8.data());
      for (int i = 0; i < kSteps * classes; ++i) {
        q[i] = int8_t(int(random() % 256) - 128);
        x[i] = random() % 9 == 0 ? NAN : random() % 9 == 0 ? -INFINITY : float(int(random() % 7));
      }
      for (int c = 0; c < classes; ++c) x[2 * classes + c] = c % 2 ? -INFINITY : NAN;  // no finite number in this step
      int32_t symbols[kSteps], at[kSteps], count = -1;
      float values[kSteps];
      ASSERT_EQ(MK_OK, mk_ctc_greedy_f32(x, kSteps, classes, classes / 2, symbols, at, values, &count));
      ASSERT_EQ(by_the_book(x, kSteps, classes, classes / 2), std::vector<int32_t>(symbols, symbols + count)) << classes;
      for (int i = 0; i < count; ++i) ASSERT_EQ(x[at[i] * classes + symbols[i]], values[i]);
      ASSERT_EQ(MK_OK, mk_ctc_greedy_i8(q, kSteps, classes, 0, 0.5f, -3, symbols, at, values, &count));
      ASSERT_EQ(by_the_book(q, kSteps, classes, 0), std::vector<int32_t>(symbols, symbols + count)) << classes;
      for (int i = 0; i < count; ++i) ASSERT_EQ(0.5f * float(q[at[i] * classes + symbols[i]] + 3), values[i]);
    }
  }
}

// The definition: every path adds its probability to what it spells.
std::map<std::vector<int32_t>, double> every_alignment(const float* p, int steps, int classes) {
  std::map<std::vector<int32_t>, double> total;
  int paths = 1;
  for (int t = 0; t < steps; ++t) paths *= classes;
  for (int path = 0; path < paths; ++path) {
    std::vector<int32_t> spelled;
    double product = 1;
    int before = 0;
    for (int t = 0, rest = path; t < steps; ++t, rest /= classes) {
      const int c = rest % classes;
      product *= double(p[t * classes + c]);
      if (c != 0 && c != before) spelled.push_back(c);
      before = c;
    }
    total[spelled] += product;
  }
  return total;
}

TEST_P(TextOnEveryIsa, AWideBeamSumsOverAllAlignments) {
  std::mt19937 random(2);
  constexpr int kSteps = 6, kClasses = 3, kResults = 10;
  for (int round = 0; round < 5; ++round) {
    float p[kSteps * kClasses];
    for (float& x : p) x = float(random() % 1000) / 1500.0f;
    const int64_t bytes = mk_ctc_beam_scratch_bytes(kSteps, kClasses, MK_MAX_BEAM);
    Guarded scratch(size_t(bytes), Edge::kEnd);
    int32_t symbols[kResults * kSteps], lengths[kResults], count = -1;
    double probability[kResults];
    ASSERT_EQ(MK_OK, mk_ctc_beam_f32(p, kSteps, kClasses, 0, MK_MAX_BEAM, kResults, symbols, lengths, probability,
                                     &count, scratch.data(), bytes));
    ASSERT_EQ(kResults, count);
    const auto truth = every_alignment(p, kSteps, kClasses);
    for (int i = 0; i < count; ++i) {
      const std::vector<int32_t> spelled(symbols + i * kSteps, symbols + i * kSteps + lengths[i]);
      ASSERT_EQ(1u, truth.count(spelled));
      // 3^6 products of 6 float64 factors, each rounded.
      EXPECT_NEAR(truth.at(spelled), probability[i], 1e-12 * truth.at(spelled));
      if (i > 0) {
        EXPECT_LE(probability[i], probability[i - 1]);
      }
    }
  }
}

TEST(Text, AStepOfZerosLeavesNothing) {
  const float p[] = {0.5f, 0.5f, 0, NAN, 1, 0};
  std::vector<uint8_t> scratch(static_cast<size_t>(mk_ctc_beam_scratch_bytes(3, 2, 4)));
  int32_t symbols[3], length, count = -1;
  double probability;
  ASSERT_EQ(MK_OK, mk_ctc_beam_f32(p, 3, 2, 0, 4, 1, symbols, &length, &probability, &count, scratch.data(),
                                   int64_t(scratch.size())));
  EXPECT_EQ(0, count);
}

TEST(Text, NamesTheBadArgument) {
  const float x[] = {1, 2, 3, 4};
  const int8_t q[] = {1, 2, 3, 4};
  int32_t symbols[2], at[2], count;
  float values[2];
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_ctc_greedy_f32(nullptr, 2, 2, 0, symbols, at, values, &count));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_ctc_greedy_f32(x, 2, 2, 0, symbols, at, values, nullptr));
  EXPECT_EQ(MK_ERROR_SIZE, mk_ctc_greedy_f32(x, 0, 2, 0, symbols, at, values, &count));
  EXPECT_EQ(MK_ERROR_SIZE, mk_ctc_greedy_f32(x, 2, -1, 0, symbols, at, values, &count));
  EXPECT_EQ(MK_ERROR_RANGE, mk_ctc_greedy_f32(x, 2, 2, 2, symbols, at, values, &count));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_ctc_greedy_i8(q, 2, 2, 0, NAN, 0, symbols, at, values, &count));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_ctc_greedy_i8(q, 2, 2, 0, 1, -129, symbols, at, values, &count));
  double p[2];
  uint8_t scratch[16];
  EXPECT_EQ(0, mk_ctc_beam_scratch_bytes(2, 2, 0));
  EXPECT_EQ(0, mk_ctc_beam_scratch_bytes(MK_MAX_SIZE, 2, 2));
  EXPECT_EQ(MK_ERROR_RANGE, mk_ctc_beam_f32(x, 2, 2, 0, MK_MAX_BEAM + 1, 1, symbols, at, p, &count, scratch, 16));
  EXPECT_EQ(MK_ERROR_RANGE, mk_ctc_beam_f32(x, 2, 2, 0, 2, 3, symbols, at, p, &count, scratch, 16));
  EXPECT_EQ(MK_ERROR_SCRATCH, mk_ctc_beam_f32(x, 2, 2, 0, 2, 1, symbols, at, p, &count, scratch, 16));
  EXPECT_EQ(MK_ERROR_SCRATCH, mk_ctc_beam_f32(x, 2, 2, 0, 2, 1, symbols, at, p, &count, nullptr, 1 << 20));
}

}  // namespace
}  // namespace mobilekit
