// mk_yolo and mk_nms with arbitrary arguments and arbitrary bits for numbers: within their buffers, and equal to scalar.
#include "mobilekit/detect.h"

#include <stdlib.h>

#include <memory>
#include <vector>

#include "input.h"
#include "mobilekit/isa.h"

namespace {

std::vector<mk_detection> run(const mk_yolo_args& args) {
  const int64_t bytes = mk_yolo_scratch_bytes(&args);
  std::unique_ptr<uint8_t[]> scratch(new uint8_t[static_cast<size_t>(bytes)]());
  std::vector<mk_detection> found(static_cast<size_t>(args.max_detections));
  int32_t count = -1;
  if (mk_yolo(&args, found.data(), &count, scratch.get(), bytes) != MK_OK) abort();
  if (count < 0 || count > args.max_detections) abort();
  found.resize(static_cast<size_t>(count));
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(data, size);
  mk_yolo_args args = {};
  args.dtype = in.number(0, 1) == 0 ? MK_DTYPE_FLOAT32 : MK_DTYPE_INT8;
  args.scale = static_cast<float>(in.real(0, 1));
  args.zero_point = in.number(-128, 127);
  args.anchors = in.number(1, 200);
  args.classes = in.number(1, 9);
  args.layout = in.number(0, 1);
  args.objectness = in.number(0, 1);
  args.box_format = in.number(0, 1);
  args.confidence = static_cast<float>(in.real(0, 1));
  args.iou_threshold = in.real(0, 1);
  args.class_agnostic = in.number(0, 1);
  args.max_detections = in.number(1, 40);
  if (args.anchors > 4096 || args.anchors < 1 || args.classes > 64 || args.max_detections > 4096) return 0;
  const size_t element = args.dtype == MK_DTYPE_INT8 ? 1 : 4;
  const int64_t channels = int64_t{4} + args.objectness + args.classes;
  if (channels < 5 || channels > 128) return 0;
  std::vector<uint8_t> memory(static_cast<size_t>(args.anchors * channels) * element);
  const bool wild = in.number(0, 3) == 0;  // NaN, infinities and denormals too
  for (size_t i = 0; i + element <= memory.size(); i += element) {
    const float x = wild ? in.raw<float>() : static_cast<float>(in.raw<uint8_t>()) / 255.0f;
    if (element == 4) {
      memcpy(&memory[i], &x, 4);
    } else {
      memory[i] = in.raw<uint8_t>();
    }
  }
  args.data = memory.data();
  args.data_bytes = static_cast<int64_t>(memory.size());
  if (mk_yolo_check(&args) != MK_OK) return 0;
  mk_isa_force(MK_ISA_SCALAR);
  const std::vector<mk_detection> expected = run(args);
  for (int isa = MK_ISA_AVX2; isa <= MK_ISA_NEON; ++isa) {
    if (mk_isa_force(isa) != MK_OK) continue;
    const std::vector<mk_detection> found = run(args);
    if (found.size() != expected.size()) abort();
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i].index != expected[i].index || found[i].class_id != expected[i].class_id) abort();
    }
  }
  return 0;
}
