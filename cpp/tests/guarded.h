// A buffer between two pages that nobody may touch: one byte read or written outside of it ends the test with a fault.
#ifndef MOBILEKIT_TESTS_GUARDED_H_
#define MOBILEKIT_TESTS_GUARDED_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace mobilekit {

enum class Edge { kBegin, kEnd };  // which end of the buffer lies at a guard page

class Guarded {
 public:
  Guarded(size_t bytes, Edge edge, size_t misalign = 0) : bytes_(bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t body = (bytes + misalign + page - 1) / page * page;
    mapped_ = body + 2 * page;
    base_ = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_ == MAP_FAILED) abort();
    uint8_t* const first = static_cast<uint8_t*>(base_) + page;
    if (body != 0 && mprotect(first, body, PROT_READ | PROT_WRITE) != 0) abort();
    data_ = edge == Edge::kBegin ? first + misalign : first + body - bytes - misalign;
  }
  ~Guarded() { munmap(base_, mapped_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  uint8_t* data() { return data_; }
  size_t size() const { return bytes_; }

 private:
  void* base_;
  uint8_t* data_;
  size_t bytes_, mapped_;
};

// A small generator that gives the same bytes everywhere (Numerical Recipes' LCG, high byte).
inline void fill_noise(uint8_t* data, size_t bytes, uint32_t seed) {
  uint32_t state = seed * 2654435761u + 1u;
  for (size_t i = 0; i < bytes; ++i) {
    state = state * 1664525u + 1013904223u;
    data[i] = static_cast<uint8_t>(state >> 24);
  }
}

}  // namespace mobilekit

#endif  // MOBILEKIT_TESTS_GUARDED_H_
