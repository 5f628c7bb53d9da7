// Reads preprocess_cases.txt and builds the arguments of a case, every buffer between guard pages.
#ifndef MOBILEKIT_TESTS_CASES_H_
#define MOBILEKIT_TESTS_CASES_H_

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "guarded.h"
#include "mobilekit/preprocess.h"

namespace mobilekit {

struct Case {
  int line;
  std::string format, crop, filter, color, channels, dtype, layout, rect, normalization;
  int width, height, pad, misalign, rotation, mirror, out_width, out_height;
};

inline int index_of(const std::vector<std::string>& names, const std::string& name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<int>(i);
  }
  ADD_FAILURE() << "no such name: " << name;
  return 0;
}

inline std::vector<Case> read_cases() {
  std::ifstream file(std::string(MOBILEKIT_CASES_DIR) + "/preprocess_cases.txt");
  std::vector<Case> cases;
  std::string text;
  for (int line = 1; std::getline(file, text); ++line) {
    if (text.empty() || text[0] == '#') continue;
    std::istringstream in(text);
    Case c;
    c.line = line;
    in >> c.format >> c.width >> c.height >> c.pad >> c.misalign >> c.crop >> c.rotation >> c.mirror >> c.filter >>
        c.color >> c.out_width >> c.out_height >> c.channels >> c.dtype >> c.layout >> c.rect >> c.normalization;
    if (!in) ADD_FAILURE() << "line " << line << " cannot be read";
    cases.push_back(c);
  }
  return cases;
}

inline std::array<double, 4> numbers_of(const std::string& text, std::array<double, 4> defaults) {
  if (text == "-") return defaults;
  std::array<double, 4> values{};
  std::istringstream in(text);
  std::string part;
  for (double& value : values) {
    std::getline(in, part, ',');
    value = std::stod(part);
  }
  return values;
}

// A case with its memory. The output can be taken anew for each instruction set.
class Frame {
 public:
  Frame(const Case& c, Edge edge) {
    mk_image& image = args.image;
    const std::string& f = c.format;
    image.width = c.width;
    image.height = c.height;
    const int64_t chroma_width = (c.width + 1) / 2, chroma_height = (c.height + 1) / 2;
    const bool interleaved = f == "nv21" || f == "nv12";
    if (interleaved || f == "i420" || f == "yv12" || f == "yuv420-far") {
      image.format = MK_FORMAT_YUV420;
      set_plane(0, c, edge, c.width, c.height);
      image.chroma_pixel_stride = interleaved || f == "yuv420-far" ? 2 : 1;
      if (interleaved) {
        const int64_t stride = 2 * chroma_width + c.pad;
        const int first = f == "nv21" ? 2 : 1, second = 3 - first;
        // The last byte of the pair of planes is the last byte that may be read: V's buffer of an NV21 frame ends early.
        const size_t bytes = static_cast<size_t>((chroma_height - 1) * stride + 2 * chroma_width);
        uint8_t* const data = make(bytes, edge, c.misalign);
        image.plane[first] = data;
        image.plane[second] = data + 1;
        image.plane_bytes[first] = static_cast<int64_t>(bytes);
        image.plane_bytes[second] = static_cast<int64_t>(bytes) - 1;
        image.row_stride[1] = image.row_stride[2] = stride;
      } else {
        const int64_t row = (chroma_width - 1) * image.chroma_pixel_stride + 1;
        set_plane(f == "yv12" ? 2 : 1, c, edge, row, chroma_height);
        set_plane(f == "yv12" ? 1 : 2, c, edge, row, chroma_height);
      }
    } else {
      image.format = index_of({"", "rgb", "bgr", "rgba", "bgra", "gray"}, f);
      const int64_t bytes = f == "gray" ? 1 : static_cast<int64_t>(f.size());
      set_plane(0, c, edge, c.width * bytes, c.height);
    }
    const auto crop = numbers_of(c.crop, {0, 0, double(c.width), double(c.height)});
    args.crop_x = crop[0];
    args.crop_y = crop[1];
    args.crop_width = crop[2];
    args.crop_height = crop[3];
    args.rotation = c.rotation;
    args.mirror = c.mirror;
    args.filter = index_of({"nearest", "bilinear", "bilinear-align-corners", "area", "antialias", "bicubic"}, c.filter);
    args.color = index_of({"bt601-full", "bt601-limited", "bt709-full", "bt709-limited"}, c.color);
    args.out_width = c.out_width;
    args.out_height = c.out_height;
    args.channels = index_of({"rgb", "bgr", "gray"}, c.channels);
    args.dtype = index_of({"int8", "uint8", "float32", "int16", "float16"}, c.dtype);
    args.layout = index_of({"nhwc", "nchw"}, c.layout);
    const auto rect = numbers_of(c.rect, {0, 0, double(c.out_width), double(c.out_height)});
    args.rect_x = static_cast<int32_t>(rect[0]);
    args.rect_y = static_cast<int32_t>(rect[1]);
    args.rect_width = static_cast<int32_t>(rect[2]);
    args.rect_height = static_cast<int32_t>(rect[3]);
    for (int i = 0; i < 3; ++i) {
      args.pad_level[i] = static_cast<float>(114 + i);
      args.multiply[i] = c.normalization == "imagenet" ? 1.0f / (57.0f + static_cast<float>(i)) : 1.0f;
      args.add[i] = c.normalization == "imagenet" ? -2.1f : c.normalization == "int8" ? -128.0f : 0.0f;
    }
    const int64_t element = args.dtype == MK_DTYPE_FLOAT32 ? 4 : args.dtype >= MK_DTYPE_INT16 ? 2 : 1;
    args.out_bytes = int64_t{c.out_width} * c.out_height * (args.channels == MK_CHANNELS_GRAY ? 1 : 3) * element;
  }

  mk_preprocess_args args = {};

  // Runs the kernel into a fresh, guarded output with guarded scratch, in `calls` calls over disjoint parts.
  std::vector<uint8_t> run(Edge edge, int calls = 1) {
    Guarded out(static_cast<size_t>(args.out_bytes), edge);
    memset(out.data(), 0xA5, out.size());
    args.out = out.data();
    const int64_t bytes = mk_preprocess_scratch_bytes(&args);
    EXPECT_GT(bytes, 0) << mk_status_name(mk_preprocess_check(&args));
    if (bytes == 0) return {};
    Guarded scratch(static_cast<size_t>(bytes), edge);
    memset(scratch.data(), 0x5A, scratch.size());  // nothing may depend on what scratch held
    const int32_t parts = mk_preprocess_parts(&args);
    for (int i = 0; i < calls; ++i) {
      const int32_t first = parts * i / calls, end = parts * (i + 1) / calls;
      EXPECT_EQ(MK_OK, mk_preprocess(&args, first, end, scratch.data(), bytes));
    }
    return {out.data(), out.data() + out.size()};
  }

 private:
  uint8_t* make(size_t bytes, Edge edge, int misalign) {
    // A buffer at the end of its pages is misaligned by its size already.
    buffers_.push_back(std::make_unique<Guarded>(bytes, edge, edge == Edge::kBegin ? size_t(misalign) : 0));
    fill_noise(buffers_.back()->data(), bytes, static_cast<uint32_t>(buffers_.size()));
    return buffers_.back()->data();
  }

  void set_plane(int p, const Case& c, Edge edge, int64_t row_bytes, int64_t rows) {
    const int64_t stride = row_bytes + c.pad, bytes = (rows - 1) * stride + row_bytes;
    args.image.plane[p] = make(static_cast<size_t>(bytes), edge, c.misalign);
    args.image.plane_bytes[p] = bytes;
    args.image.row_stride[p] = stride;
  }

  std::vector<std::unique_ptr<Guarded>> buffers_;
};

}  // namespace mobilekit

#endif  // MOBILEKIT_TESTS_CASES_H_
