// Detection: known answers, every instruction set against scalar, bad arguments; buffers lie between guard pages.
#include "mobilekit/detect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "guarded.h"
#include "mobilekit/isa.h"

namespace mobilekit {
namespace {

std::vector<int32_t> run_nms(const float* boxes, const float* scores, const int32_t* classes, int32_t n, double iou,
                             int32_t most) {
  const int64_t bytes = mk_nms_scratch_bytes(n, most);
  Guarded scratch(static_cast<size_t>(bytes), Edge::kEnd);
  Guarded keep(static_cast<size_t>(most) * sizeof(int32_t), Edge::kEnd);
  int32_t* const indices = reinterpret_cast<int32_t*>(keep.data());
  int32_t kept = -1;
  EXPECT_EQ(MK_OK, mk_nms(boxes, scores, classes, n, iou, most, indices, &kept, scratch.data(), bytes));
  return {indices, indices + kept};
}

using Indices = std::vector<int32_t>;

TEST(Nms, KnownAnswers) {
  // 0 and 1 overlap by 1/3, 2 lies apart, 3 is empty, 4 holds NaN, 5 has no score.
  const float boxes[] = {0, 0, 10, 10, 5, 0, 15, 10, 40, 40, 50, 50, 3, 3, 3, 9, NAN, 0, 10, 10, 40, 40, 50, 50};
  const float scores[] = {0.5f, 0.9f, 0.5f, 0.4f, 0.3f, NAN};
  EXPECT_EQ((Indices{1, 2, 3, 4}), run_nms(boxes, scores, nullptr, 6, 0.3, 6));
  EXPECT_EQ((Indices{1, 0, 2, 3, 4}), run_nms(boxes, scores, nullptr, 6, 0.4, 6));
  EXPECT_EQ((Indices{1, 0}), run_nms(boxes, scores, nullptr, 6, 0.4, 2));
  const int32_t classes[] = {7, 8, 7, 7, 7, 7};
  EXPECT_EQ((Indices{1, 0, 2, 3, 4}), run_nms(boxes, scores, classes, 6, 0.3, 6));
  EXPECT_EQ((Indices{}), run_nms(boxes, scores, nullptr, 0, 0.5, 1));
}

TEST(Nms, AnIouThatEqualsTheThresholdStays) {
  const float boxes[] = {0, 0, 2, 1, 0, 0, 1, 1};  // IoU exactly 0.5
  const float scores[] = {1, 0.5f};
  EXPECT_EQ((Indices{0, 1}), run_nms(boxes, scores, nullptr, 2, 0.5, 2));
  EXPECT_EQ((Indices{0}), run_nms(boxes, scores, nullptr, 2, std::nextafter(0.5, 0.0), 2));
}

struct Yolo {
  Yolo(int32_t anchors, int32_t classes, int32_t dtype, int32_t layout, int32_t objectness)
      : channels(4 + objectness + classes),
        memory(static_cast<size_t>(anchors) * static_cast<size_t>(channels) * (dtype == MK_DTYPE_INT8 ? 1 : 4), Edge::kEnd) {
    std::mt19937 random(static_cast<uint32_t>(anchors));
    const auto uniform = [&] { return float(random() % 10000) / 10000.0f; };
    for (int32_t i = 0; i < anchors; ++i) {
      for (int32_t c = 0; c < channels; ++c) {
        const int64_t at = layout == MK_YOLO_CHANNELS_FIRST ? int64_t{c} * anchors + i : int64_t{i} * channels + c;
        float x = c < 4 ? 0.2f + 0.5f * uniform() : uniform() * uniform();
        if (random() % 97 == 0) x = NAN;
        if (dtype == MK_DTYPE_INT8) {
          reinterpret_cast<int8_t*>(memory.data())[at] = static_cast<int8_t>(random());
        } else {
          reinterpret_cast<float*>(memory.data())[at] = x;
        }
      }
    }
    args = {memory.data(), static_cast<int64_t>(memory.size()), dtype, 1.0f / 255, -128, anchors, classes, layout,
            objectness, MK_BOX_CXCYWH, 0.3f, 0.45, 0, 50};
  }
  std::vector<mk_detection> run() {
    const int64_t bytes = mk_yolo_scratch_bytes(&args);
    Guarded scratch(static_cast<size_t>(bytes), Edge::kEnd);
    std::vector<mk_detection> found(static_cast<size_t>(args.max_detections));
    int32_t count = -1;
    EXPECT_EQ(MK_OK, mk_yolo(&args, found.data(), &count, scratch.data(), bytes));
    found.resize(static_cast<size_t>(count));
    return found;
  }
  int32_t channels;
  Guarded memory;
  mk_yolo_args args;
};

TEST(Yolo, EveryInstructionSetFindsWhatScalarFinds) {
  const int best = mk_isa_current();
  for (const int32_t anchors : {1, 63, 64, 65, 500}) {
    for (const int32_t dtype : {MK_DTYPE_FLOAT32, MK_DTYPE_INT8}) {
      for (const int32_t layout : {MK_YOLO_CHANNELS_FIRST, MK_YOLO_CHANNELS_LAST}) {
        for (const int32_t objectness : {0, 1}) {
          Yolo yolo(anchors, 11, dtype, layout, objectness);
          mk_isa_force(MK_ISA_SCALAR);
          const auto expected = yolo.run();
          for (int isa = MK_ISA_AVX2; isa <= MK_ISA_NEON; ++isa) {
            if (mk_isa_force(isa) != MK_OK) continue;
            const auto found = yolo.run();
            ASSERT_EQ(expected.size(), found.size());
            for (size_t i = 0; i < found.size(); ++i) {
              EXPECT_EQ(0, memcmp(&expected[i], &found[i], sizeof found[i])) << mk_isa_name(isa) << " " << i;
            }
          }
        }
      }
    }
  }
  mk_isa_force(best);
}

TEST(Yolo, NamesTheBadArgument) {
  Yolo yolo(10, 3, MK_DTYPE_FLOAT32, MK_YOLO_CHANNELS_FIRST, 0);
  using Args = mk_yolo_args;
  const auto status = [&](auto change) {
    Args args = yolo.args;
    change(args);
    EXPECT_EQ(0, mk_yolo_scratch_bytes(&args));
    return mk_yolo_check(&args);
  };
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_yolo_check(nullptr));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, status([](Args& a) { a.data = nullptr; }));
  EXPECT_EQ(MK_ERROR_DTYPE, status([](Args& a) { a.dtype = MK_DTYPE_INT16; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](Args& a) { a.anchors = 0; }));
  EXPECT_EQ(MK_ERROR_SIZE, status([](Args& a) { a.classes = MK_MAX_SIZE + 1; }));
  EXPECT_EQ(MK_ERROR_LAYOUT, status([](Args& a) { a.layout = 2; }));
  EXPECT_EQ(MK_ERROR_CHANNELS, status([](Args& a) { a.objectness = 2; }));
  EXPECT_EQ(MK_ERROR_FORMAT, status([](Args& a) { a.box_format = -1; }));
  EXPECT_EQ(MK_ERROR_THRESHOLD, status([](Args& a) { a.confidence = NAN; }));
  EXPECT_EQ(MK_ERROR_THRESHOLD, status([](Args& a) { a.iou_threshold = 1.01; }));
  EXPECT_EQ(MK_ERROR_RANGE, status([](Args& a) { a.max_detections = 0; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](Args& a) { a.data_bytes -= 1; }));
  EXPECT_EQ(MK_ERROR_BUFFER_TOO_SMALL, status([](Args& a) { a.anchors = MK_MAX_SIZE; a.classes = MK_MAX_SIZE; }));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, status([](Args& a) { a.dtype = MK_DTYPE_INT8; a.scale = 0; }));
  EXPECT_EQ(MK_ERROR_NORMALIZATION, status([](Args& a) { a.dtype = MK_DTYPE_INT8; a.zero_point = 128; }));
  mk_detection found[50];
  int32_t count;
  uint8_t scratch[1];
  EXPECT_EQ(MK_ERROR_SCRATCH, mk_yolo(&yolo.args, found, &count, scratch, 1));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_yolo(&yolo.args, nullptr, &count, scratch, 1));
}

TEST(Nms, NamesTheBadArgument) {
  const float boxes[4] = {}, scores[1] = {};
  int32_t keep[1], kept;
  uint8_t scratch[1];
  EXPECT_EQ(MK_ERROR_SIZE, mk_nms(boxes, scores, nullptr, -1, 0.5, 1, keep, &kept, scratch, 1));
  EXPECT_EQ(MK_ERROR_NULL_POINTER, mk_nms(nullptr, scores, nullptr, 1, 0.5, 1, keep, &kept, scratch, 1));
  EXPECT_EQ(MK_ERROR_RANGE, mk_nms(boxes, scores, nullptr, 1, 0.5, 0, keep, &kept, scratch, 1));
  EXPECT_EQ(MK_ERROR_THRESHOLD, mk_nms(boxes, scores, nullptr, 1, NAN, 1, keep, &kept, scratch, 1));
  EXPECT_EQ(MK_ERROR_SCRATCH, mk_nms(boxes, scores, nullptr, 1, 0.5, 1, keep, &kept, scratch, 1));
}

TEST(BoxesToFrame, UndoesLetterboxAndQuarterTurn) {
  mk_preprocess_args args = {};
  args.crop_x = 100;
  args.crop_y = 50;
  args.crop_width = 400;
  args.crop_height = 200;
  args.rotation = 90;  // the picture is 200 wide and 400 high, at half size in the middle of 300 x 200
  args.rect_x = 100;
  args.rect_width = 100;
  args.rect_height = 200;
  float box[] = {100, 0, 150, 20};  // top left of the picture = bottom left of the frame's crop
  ASSERT_EQ(MK_OK, mk_boxes_to_frame(&args, box, 1));
  EXPECT_FLOAT_EQ(100, box[0]);
  EXPECT_FLOAT_EQ(150, box[1]);
  EXPECT_FLOAT_EQ(140, box[2]);
  EXPECT_FLOAT_EQ(250, box[3]);
  args.rect_width = 0;
  EXPECT_EQ(MK_ERROR_RANGE, mk_boxes_to_frame(&args, box, 1));
}

}  // namespace
}  // namespace mobilekit
