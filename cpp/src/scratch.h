// Hands out pieces of the caller's scratch, each aligned to a cache line; with no base it only counts them.
#ifndef MOBILEKIT_SRC_SCRATCH_H_
#define MOBILEKIT_SRC_SCRATCH_H_

#include <stdint.h>

namespace mobilekit {

class Scratch {
 public:
  static constexpr int64_t kAlign = 64;

  explicit Scratch(void* base) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(base);
    const uintptr_t aligned = (address + kAlign - 1) / kAlign * kAlign;
    base_ = base == nullptr ? nullptr : static_cast<uint8_t*>(base) + (aligned - address);
  }

  template <typename T>
  T* take(int64_t count) {
    const int64_t at = used_;
    used_ += (count * static_cast<int64_t>(sizeof(T)) + kAlign - 1) / kAlign * kAlign;
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + at);
  }

  // What the caller must bring: the pieces, and what aligning its pointer may cost.
  int64_t needed() const { return used_ + kAlign - 1; }

 private:
  uint8_t* base_;
  int64_t used_ = 0;
};

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_SCRATCH_H_
