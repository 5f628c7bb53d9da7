// Every instruction set against scalar on the shared list of cases, byte for byte; known answers; bad arguments.
#include "mobilekit/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cases.h"
#include "mobilekit/isa.h"

namespace mobilekit {
namespace {

std::vector<int> vector_isas() {
  std::vector<int> isas;
  for (int isa : {MK_ISA_AVX2, MK_ISA_AVX512, MK_ISA_NEON}) {
    if (mk_isa_available(isa)) isas.push_back(isa);
  }
  return isas;
}

class PreprocessCase : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { best_ = mk_isa_current(); }
  void TearDown() override { mk_isa_force(best_); }
  int best_;
};

TEST_P(PreprocessCase, EveryInstructionSetGivesTheBytesOfScalar) {
  for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
    Frame frame(GetParam(), edge);
    ASSERT_EQ(MK_OK, mk_isa_force(MK_ISA_SCALAR));
    const std::vector<uint8_t> expected = frame.run(edge);
    for (const int isa : vector_isas()) {
      ASSERT_EQ(MK_OK, mk_isa_force(isa));
      EXPECT_EQ(expected, frame.run(edge)) << mk_isa_name(isa);
    }
  }
}

TEST_P(PreprocessCase, PartsGiveTheBytesOfOneCall) {
  Frame frame(GetParam(), Edge::kEnd);
  EXPECT_EQ(frame.run(Edge::kEnd), frame.run(Edge::kEnd, 3));
}

INSTANTIATE_TEST_SUITE_P(Shared, PreprocessCase, testing::ValuesIn(read_cases()),
                         [](const auto& info) { return "line" + std::to_string(info.param.line); });

TEST(PreprocessList, IsNotEmpty) { EXPECT_GT(read_cases().size(), 100u); }

// All bytes of all cases, as one number: what x86 computes, Arm computes (and a compiler that fuses multiply-adds does not).
// It changes when a case is added or the arithmetic of preprocess.h changes, and then on purpose: copy the new one.
TEST(PreprocessList, GivesTheSameBytesOnEveryProcessor) {
  uint64_t hash = 1469598103934665603u;  // FNV-1a
  for (const Case& c : read_cases()) {
    for (const uint8_t byte : Frame(c, Edge::kEnd).run(Edge::kEnd)) hash = (hash ^ byte) * 1099511628211u;
  }
  EXPECT_EQ(549717175811217648u, hash);
}

// A 2x2 RGB image of 4 known pixels, unscaled, under every rotation: the answers are written out.
TEST(Preprocess, RotatesClockwiseThenMirrors) {
  const uint8_t pixels[] = {10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42};
  struct Turn {
    int rotation, mirror;
    std::array<uint8_t, 4> red;  // top left, top right, bottom left, bottom right
  };
  const Turn turns[] = {{0, 0, {10, 20, 30, 40}},   {90, 0, {30, 10, 40, 20}}, {180, 0, {40, 30, 20, 10}},
                        {270, 0, {20, 40, 10, 30}}, {0, 1, {20, 10, 40, 30}},  {90, 1, {10, 30, 20, 40}},
                        {180, 1, {30, 40, 10, 20}}, {270, 1, {40, 20, 30, 10}}};
  for (const Turn& turn : turns) {
    mk_preprocess_args args = {};
    args.image = {MK_FORMAT_RGB, 2, 2, 0, {pixels, nullptr, nullptr}, {sizeof pixels, 0, 0}, {6, 0, 0}};
    args.crop_width = args.crop_height = 2;
    args.rotation = turn.rotation;
    args.mirror = turn.mirror;
    args.filter = MK_FILTER_BILINEAR;
    args.dtype = MK_DTYPE_UINT8;
    args.out_width = args.out_height = args.rect_width = args.rect_height = 2;
    for (float& x : args.multiply) x = 1;
    uint8_t out[12];
    args.out = out;
    args.out_bytes = sizeof out;
    std::vector<uint8_t> scratch(static_cast<size_t>(mk_preprocess_scratch_bytes(&args)));
    ASSERT_EQ(MK_OK, mk_preprocess(&args, 0, mk_preprocess_parts(&args), scratch.data(), int64_t(scratch.size())));
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(turn.red[i], out[3 * i]) << turn.rotation << " mirrored " << turn.mirror << " pixel " << i;
      EXPECT_EQ(turn.red[i] + 2, out[3 * i + 2]);
    }
  }
}

// Every argument that can be wrong, one at a time.
TEST(Preprocess, NamesTheBadArgument) {
  const Case c = {0, "nv21", "-", "bilinear", "bt601-full", "rgb", "int8", "nhwc", "-", "int8", 33, 21, 0, 0, 90, 0, 17, 19};
  Frame frame(c, Edge::kEnd);
  std::vector<uint8_t> out(static_cast<size_t>(frame.args.out_bytes));
  frame.args.out = out.data();
  ASSERT_EQ(MK_OK, mk_preprocess_check(&frame.args));
  const auto status = [&](auto change) {
    mk_preprocess_args args = frame.args;
    change(args);
    EXPECT_EQ(0, mk_preprocess_scratch_bytes(&args));
    EXPECT_EQ(0, mk_preprocess_parts(&args));
    return mk_preprocess_check(&args);
  };
  using Args = mk_preprocess_args;
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_preprocess_check(nullptr));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, status([](Args& a) { a.image.plane[2] = nullptr; }));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, status([](Args& a) { a.out = nullptr; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](Args& a) { a.image.width = 0; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](Args& a) { a.image.height = -5; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](Args& a) { a.image.height = MK_MAX_SIZE + 1; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](Args& a) { a.out_width = 0; }));
  EXPECT_EQ(MK_ERROR_FORMAT, status([](Args& a) { a.image.format = 6; }));
  EXPECT_EQ(MK_ERROR_FORMAT, status([](Args& a) { a.image.format = -1; }));
  EXPECT_EQ(MK_ERROR_ROW_STRIDE, status([](Args& a) { a.image.row_stride[0] = 32; }));
  EXPECT_EQ(MK_ERROR_ROW_STRIDE, status([](Args& a) { a.image.row_stride[1] = -34; }));
  EXPECT_EQ(MK_ERROR_ROW_STRIDE, status([](Args& a) { a.image.row_stride[0] = std::numeric_limits<int64_t>::max(); }));
  EXPECT_EQ(MK_ERROR_PIXEL_STRIDE, status([](Args& a) { a.image.chroma_pixel_stride = 3; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](Args& a) { a.image.plane_bytes[0] -= 1; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](Args& a) { a.image.plane_bytes[1] -= 1; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](Args& a) { a.image.row_stride[0] += 1; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](Args& a) { a.out_bytes -= 1; }));
  EXPECT_EQ(MK_ERROR_CROP, status([](Args& a) { a.crop_x = -0.5; }));
  EXPECT_EQ(MK_ERROR_CROP, status([](Args& a) { a.crop_width = 0; }));
  EXPECT_EQ(MK_ERROR_CROP, status([](Args& a) { a.crop_width = 33.5; }));
  EXPECT_EQ(MK_ERROR_CROP, status([=](Args& a) { a.crop_height = kNaN; }));
  EXPECT_EQ(MK_ERROR_CROP, status([=](Args& a) { a.crop_y = kInf; }));
  EXPECT_EQ(MK_ERROR_CROP, status([](Args& a) { a.crop_x = 33; a.crop_width = 1e-300; }));
  EXPECT_EQ(MK_ERROR_ROTATION, status([](Args& a) { a.rotation = 45; }));
  EXPECT_EQ(MK_ERROR_FILTER, status([](Args& a) { a.filter = 99; }));
  EXPECT_EQ(MK_ERROR_COLOR, status([](Args& a) { a.color = 4; }));
  EXPECT_EQ(MK_ERROR_DTYPE, status([](Args& a) { a.dtype = 5; }));
  EXPECT_EQ(MK_ERROR_LAYOUT, status([](Args& a) { a.layout = 2; }));
  EXPECT_EQ(MK_ERROR_CHANNELS, status([](Args& a) { a.channels = 3; }));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, status([](Args& a) { a.multiply[1] = std::numeric_limits<float>::infinity(); }));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, status([](Args& a) { a.add[2] = std::nanf(""); }));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, status([](Args& a) { a.multiply[0] = 1e8f; }));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, status([](Args& a) { a.pad_level[0] = 256; }));
  EXPECT_EQ(MK_ERROR_RANGE, status([](Args& a) { a.rect_x = 1; }));
  EXPECT_EQ(MK_ERROR_RANGE, status([](Args& a) { a.rect_y = -1; a.rect_height = 5; }));
  EXPECT_EQ(MK_ERROR_RANGE, status([](Args& a) { a.rect_width = 0; }));
  EXPECT_EQ(MK_ERROR_RANGE, status([](Args& a) { a.rect_width = std::numeric_limits<int32_t>::max(); }));
  EXPECT_EQ(MK_ERROR_OVERLAP, status([](Args& a) { a.out = const_cast<uint8_t*>(a.image.plane[0]); }));
  EXPECT_EQ(MK_ERROR_ALIGNMENT, status([](Args& a) {
              a.dtype = MK_DTYPE_FLOAT32;
              a.out = static_cast<uint8_t*>(a.out) + 1;
            }));
}

TEST(Preprocess, ChecksTheRangeOfPartsAndScratch) {
  const Case c = {0, "rgb", "-", "bilinear", "bt601-full", "rgb", "int8", "nhwc", "-", "int8", 33, 21, 0, 0, 90, 0, 17, 19};
  Frame frame(c, Edge::kEnd);
  std::vector<uint8_t> out(static_cast<size_t>(frame.args.out_bytes));
  frame.args.out = out.data();
  const int64_t bytes = mk_preprocess_scratch_bytes(&frame.args);
  std::vector<uint8_t> scratch(static_cast<size_t>(bytes));
  const int32_t parts = mk_preprocess_parts(&frame.args);
  EXPECT_EQ(2, parts);  // 17 output columns of a quarter turn, 16 a part
  EXPECT_EQ(MK_ERROR_RANGE, mk_preprocess(&frame.args, 0, parts + 1, scratch.data(), bytes));
  EXPECT_EQ(MK_ERROR_RANGE, mk_preprocess(&frame.args, -1, parts, scratch.data(), bytes));
  EXPECT_EQ(MK_ERROR_RANGE, mk_preprocess(&frame.args, 2, 1, scratch.data(), bytes));
  EXPECT_EQ(MK_ERROR_SCRATCH, mk_preprocess(&frame.args, 0, parts, scratch.data(), bytes - 1));
  EXPECT_EQ(MK_ERROR_SCRATCH, mk_preprocess(&frame.args, 0, parts, nullptr, bytes));
  EXPECT_EQ(MK_OK, mk_preprocess(&frame.args, 1, 1, scratch.data(), bytes));
}

TEST(FoldNormalization, FoldsInDoublePrecisionAndChecks) {
  const double mean[] = {127.5, 0, 10}, std_dev[] = {127.5, 1, 2};
  float multiply[3], add[3];
  ASSERT_EQ(MK_OK, mk_fold_normalization(3, mean, std_dev, 1 / 127.5, 0, multiply, add));
  EXPECT_FLOAT_EQ(1.0f, multiply[0]);
  EXPECT_FLOAT_EQ(-127.5f, add[0]);
  const double zero[] = {0, 0, 0};
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_fold_normalization(3, mean, zero, 1, 0, multiply, add));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_fold_normalization(3, mean, std_dev, 0, 0, multiply, add));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, mk_fold_normalization(3, mean, std_dev, 1e-300, 0, multiply, add));
  EXPECT_EQ(MK_ERROR_CHANNELS, mk_fold_normalization(4, mean, std_dev, 1, 0, multiply, add));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_fold_normalization(3, nullptr, std_dev, 1, 0, multiply, add));
}

}  // namespace
}  // namespace mobilekit
