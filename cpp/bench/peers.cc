// What benchmarks/kernels.py compares with and cannot call from Python: libyuv's best chain of calls, and the floor.
// Built by that script into a shared library; not part of the product.
#include <libyuv.h>
#include <stdint.h>

#include <vector>

namespace {

// The libyuv route with the least work: shrink the planes first, turn the small ones, convert those, make int8.
struct Scratch {
  std::vector<uint8_t> y, uv, turned, rgb;
};
thread_local Scratch s;

}  // namespace

extern "C" {

// NV21 -> size x size x 3 int8 (level - 128), turned by 90 degrees clockwise. filter: libyuv::FilterMode.
int peer_libyuv_nv21_rotate90(const uint8_t* nv21, int width, int height, int size, int filter, int8_t* out) {
  const int half = size / 2;
  const size_t pixels = static_cast<size_t>(size) * static_cast<size_t>(size), quarter = pixels / 4;
  s.y.resize(pixels);
  s.uv.resize(2 * quarter);
  s.turned.resize(pixels + 2 * quarter);
  s.rgb.resize(3 * pixels);
  const auto mode = static_cast<libyuv::FilterMode>(filter);
  const uint8_t* vu = nv21 + static_cast<size_t>(width) * static_cast<size_t>(height);
  libyuv::ScalePlane(nv21, width, width, height, s.y.data(), size, size, size, mode);
  if (libyuv::UVScale(vu, width, width / 2, height / 2, s.uv.data(), size, half, half, mode) != 0) return -1;
  uint8_t* const y = s.turned.data();
  uint8_t* const u = y + pixels;
  uint8_t* const v = u + quarter;
  // The interleaved plane holds V first: name the outputs the other way round.
  if (libyuv::NV12ToI420Rotate(s.y.data(), size, s.uv.data(), size, y, size, v, half, u, half, size, size,
                               libyuv::kRotate90) != 0) {
    return -1;
  }
  if (libyuv::I420ToRAW(y, size, u, half, v, half, s.rgb.data(), 3 * size, size, size) != 0) return -1;
  for (size_t i = 0; i < 3 * pixels; ++i) out[i] = static_cast<int8_t>(s.rgb[i] ^ 0x80);
  return 0;
}

// The floor: reads every row of an NV21 frame that a bilinear resize to `rows` picture rows needs, and nothing else.
uint64_t peer_read_rows(const uint8_t* nv21, int width, int height, int rows) {
  uint64_t sum = 0;
  const auto read = [&](const uint8_t* row) {
    const uint64_t* words = reinterpret_cast<const uint64_t*>(row);
    for (int i = 0; i < width / 8; ++i) sum += words[i];
  };
  const uint8_t* const chroma = nv21 + static_cast<size_t>(width) * static_cast<size_t>(height);
  int last = -1;
  for (int t = 0; t < rows; ++t) {
    const double at = (t + 0.5) * height / rows - 0.5;
    const int first = at < 0 ? 0 : static_cast<int>(at);
    for (int y = first; y <= first + 1 && y < height; ++y) {
      read(nv21 + static_cast<size_t>(y) * static_cast<size_t>(width));
      if (y / 2 != last) read(chroma + static_cast<size_t>(last = y / 2) * static_cast<size_t>(width));
    }
  }
  return sum;
}

// The floor of what reads a whole tensor.
uint64_t peer_read(const uint8_t* data, int64_t bytes) {
  uint64_t sum = 0;
  const uint64_t* words = reinterpret_cast<const uint64_t*>(data);
  for (int64_t i = 0; i < bytes / 8; ++i) sum += words[i];
  return sum;
}

const char* peer_libyuv_version() {
#define MK_TEXT(x) #x
#define MK_EXPAND(x) MK_TEXT(x)
  return MK_EXPAND(LIBYUV_VERSION);
}

}  // extern "C"
