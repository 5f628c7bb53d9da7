// __builtin_cpu_supports asks a table that the compiler's runtime library fills; that library for Android comes with the NDK.
// Here is the part of it that the kernels' dispatch asks for (x86-64 only; see LLVM's cpu_model.c for the layout).
#if defined(__x86_64__)
#include <cpuid.h>

namespace {

enum Feature { kAvx2 = 10, kAvx512f = 15, kAvx512vl = 20, kAvx512bw = 21, kAvx512dq = 22, kAvx512vbmi = 26 };

unsigned long long enabled_by_the_system() {  // xgetbv: which registers are saved over a task switch
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
}

}  // namespace

extern "C" {

__attribute__((visibility("hidden"))) struct {
  unsigned vendor, type, subtype, features[1];
} __cpu_model;

// Before any other constructor, as the original: dispatch may be asked by one.
__attribute__((visibility("hidden"), constructor(101))) int __cpu_indicator_init(void) {
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return 0;
  const unsigned long long saved = enabled_by_the_system();
  const bool avx = (saved & 0x6) == 0x6, avx512 = avx && (saved & 0xe0) == 0xe0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return 0;
  unsigned found = 0;
  const auto add = [&found](Feature feature, bool there) { found |= there ? 1u << feature : 0u; };
  add(kAvx2, avx && (b & bit_AVX2) != 0);
  add(kAvx512f, avx512 && (b & bit_AVX512F) != 0);
  add(kAvx512vl, avx512 && (b & bit_AVX512VL) != 0);
  add(kAvx512bw, avx512 && (b & bit_AVX512BW) != 0);
  add(kAvx512dq, avx512 && (b & bit_AVX512DQ) != 0);
  add(kAvx512vbmi, avx512 && (c & bit_AVX512VBMI) != 0);
  __cpu_model.features[0] = found;
  return 0;
}

}  // extern "C"
#endif
