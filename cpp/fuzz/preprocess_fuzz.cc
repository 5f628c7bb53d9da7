// mk_preprocess with arbitrary arguments: what passes the check must run within its buffers on every instruction set and give
// the bytes of scalar. Buffers are as small as the arguments say, so that the sanitizer sees the first byte too many.
#include "mobilekit/preprocess.h"

#include <stdlib.h>

#include <memory>
#include <vector>

#include "input.h"
#include "mobilekit/isa.h"

namespace {

constexpr int64_t kMostBytes = 1 << 20;

std::vector<uint8_t> run(mk_preprocess_args args, int64_t bytes) {
  std::vector<uint8_t> out(static_cast<size_t>(args.out_bytes), 0xA5);
  std::unique_ptr<uint8_t[]> scratch(new uint8_t[static_cast<size_t>(bytes)]());
  args.out = out.data();
  if (mk_preprocess(&args, 0, mk_preprocess_parts(&args), scratch.get(), bytes) != MK_OK) abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(data, size);
  mk_preprocess_args args = {};
  mk_image& image = args.image;
  image.format = in.number(0, 5);
  image.width = in.number(1, 90);
  image.height = in.number(1, 40);
  image.chroma_pixel_stride = in.number(1, 2);
  const int64_t pixel = image.format == MK_FORMAT_RGB || image.format == MK_FORMAT_BGR     ? 3
                        : image.format == MK_FORMAT_RGBA || image.format == MK_FORMAT_BGRA ? 4
                                                                                           : 1;
  std::vector<uint8_t> plane[3];
  const bool interleaved = in.number(0, 1) == 1;
  for (int p = 0; p < 3; ++p) {
    const int64_t row = p == 0 ? int64_t{image.width} * pixel : (int64_t{image.width} + 1) / 2 * image.chroma_pixel_stride;
    const int64_t rows = p == 0 ? image.height : (int64_t{image.height} + 1) / 2;
    image.row_stride[p] = row + in.number(0, 9);
    const bool huge = rows < 1 || rows > 4096 || row < 0 || row > kMostBytes || image.row_stride[p] < 0 ||
                      image.row_stride[p] > kMostBytes;
    int64_t bytes = huge ? 1 : (rows - 1) * image.row_stride[p] + row + in.number(-1, 3);
    bytes = bytes < 1 || bytes > kMostBytes ? 1 : bytes;
    plane[p].resize(static_cast<size_t>(bytes));
    for (size_t i = 0; i < plane[p].size(); ++i) plane[p][i] = static_cast<uint8_t>(i * 37 + size);
    image.plane[p] = plane[p].data();
    image.plane_bytes[p] = bytes;
  }
  if (interleaved && image.plane_bytes[1] > 1) {
    image.plane[2] = image.plane[1] + 1;
    image.plane_bytes[2] = image.plane_bytes[1] - 1;
    image.row_stride[2] = image.row_stride[1];
  }
  args.crop_x = in.real(0, image.width);
  args.crop_y = in.real(0, image.height);
  args.crop_width = in.real(0, image.width - args.crop_x);
  args.crop_height = in.real(0, image.height - args.crop_y);
  if (in.number(0, 1) == 0) {
    args.crop_x = args.crop_y = 0;
    args.crop_width = image.width;
    args.crop_height = image.height;
  }
  const int32_t turns = in.number(0, 3);
  args.rotation = turns >= 0 && turns < 4 ? 90 * turns : turns;
  args.mirror = in.number(0, 1);
  args.filter = in.number(0, 5);
  args.color = in.number(0, 3);
  args.out_width = in.number(1, 80);
  args.out_height = in.number(1, 40);
  args.channels = in.number(0, 2);
  args.dtype = in.number(0, 4);
  args.layout = in.number(0, 1);
  args.rect_width = args.out_width;
  args.rect_height = args.out_height;
  if (in.number(0, 3) == 0) {
    args.rect_x = in.number(0, 9);
    args.rect_y = in.number(0, 9);
    args.rect_width = in.number(1, 80);
    args.rect_height = in.number(1, 40);
  }
  for (int c = 0; c < 3; ++c) {
    args.pad_level[c] = static_cast<float>(in.real(0, 255));
    args.multiply[c] = static_cast<float>(in.real(-3, 3));
    args.add[c] = static_cast<float>(in.real(-300, 300));
  }
  const int64_t element = args.dtype == MK_DTYPE_FLOAT32 ? 4 : args.dtype >= MK_DTYPE_INT16 ? 2 : 1;
  const int64_t pixels = int64_t{args.out_width} * args.out_height;
  args.out_bytes = args.out_width < 1 || args.out_height < 1 || pixels > kMostBytes
                       ? 1
                       : pixels * (args.channels == MK_CHANNELS_GRAY ? 1 : 3) * element;
  alignas(8) static uint8_t place[8];  // mk_preprocess_check wants a pointer that overlaps nothing
  args.out = place;
  if (mk_preprocess_check(&args) != MK_OK) return 0;

  mk_isa_force(MK_ISA_SCALAR);
  const std::vector<uint8_t> expected = run(args, mk_preprocess_scratch_bytes(&args));
  for (int isa = MK_ISA_AVX2; isa <= MK_ISA_NEON; ++isa) {
    if (mk_isa_force(isa) != MK_OK) continue;
    if (run(args, mk_preprocess_scratch_bytes(&args)) != expected) abort();
  }
  return 0;
}
