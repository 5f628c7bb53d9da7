// Floats as bits and back.
#ifndef MOBILEKIT_SRC_BITS_H_
#define MOBILEKIT_SRC_BITS_H_

#include <stdint.h>
#include <string.h>

namespace mobilekit {

inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_BITS_H_
