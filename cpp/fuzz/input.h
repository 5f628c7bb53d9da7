// Reads numbers off the bytes that the fuzzer made up; zeros after the end.
#ifndef MOBILEKIT_FUZZ_INPUT_H_
#define MOBILEKIT_FUZZ_INPUT_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  template <typename T>
  T raw() {
    T x = {};
    const size_t n = size_ < sizeof x ? size_ : sizeof x;
    memcpy(&x, data_, n);
    data_ += n;
    size_ -= n;
    return x;
  }

  // Mostly small and sensible, so that most calls reach the pixels; one in 32 is anything at all.
  int32_t number(int32_t low, int32_t high) {
    const uint8_t kind = raw<uint8_t>();
    if (kind % 32 == 31) return raw<int32_t>();
    return low + static_cast<int32_t>(raw<uint16_t>() % static_cast<uint32_t>(high - low + 1));
  }

  double real(double low, double high) {
    const uint8_t kind = raw<uint8_t>();
    if (kind % 32 == 31) return raw<double>();
    return low + (high - low) * raw<uint16_t>() / 65535.0;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

#endif  // MOBILEKIT_FUZZ_INPUT_H_
