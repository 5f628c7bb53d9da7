// The one global of the library: which instruction set is in use.
#include "mobilekit/isa.h"
#include "detect.h"
#include "embed.h"
#include "row_ops.h"
#include "scores.h"
#include "segment.h"
#include "target.h"

#if MK_HAVE_AVX2
#include <cpuid.h>
#endif

namespace mobilekit {
namespace {

constexpr int kUndecided = -1;
int g_isa = kUndecided;  // written once per process, or by mk_isa_force; a race at the first call writes the same value

#if MK_HAVE_AVX2
bool has_f16c() {  // clang 14 does not know the name in __builtin_cpu_supports
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

bool available(int isa) {
  switch (isa) {
    case MK_ISA_SCALAR:
      return true;
#if MK_HAVE_AVX2
    case MK_ISA_AVX2:
      return row_ops_avx2() != nullptr && __builtin_cpu_supports("avx2") && has_f16c();
#endif
#if MK_HAVE_AVX512
    case MK_ISA_AVX512:
      return row_ops_avx512() != nullptr && __builtin_cpu_supports("avx512vbmi") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq");
#endif
#if MK_HAVE_NEON
    case MK_ISA_NEON:
      return row_ops_neon() != nullptr;
#endif
    default:
      return false;
  }
}

int current() {
  int isa = __atomic_load_n(&g_isa, __ATOMIC_RELAXED);
  if (isa != kUndecided) return isa;
  constexpr int kBestFirst[] = {MK_ISA_AVX512, MK_ISA_AVX2, MK_ISA_NEON, MK_ISA_SCALAR};
  for (int candidate : kBestFirst) {
    if (available(candidate)) {
      isa = candidate;
      break;
    }
  }
  __atomic_store_n(&g_isa, isa, __ATOMIC_RELAXED);
  return isa;
}

}  // namespace

const RowOps& row_ops() {
  switch (current()) {
    case MK_ISA_AVX2:
      return *row_ops_avx2();
    case MK_ISA_AVX512:
      return *row_ops_avx512();
    case MK_ISA_NEON:
      return *row_ops_neon();
    default:
      return kRowOpsScalar;
  }
}

// The loops of scores, detection and the others below are C++ that the compiler vectorises: AVX-512 adds nothing to AVX2
// there, and NEON is in AArch64's baseline.
const ScoreOps& score_ops() {
#if MK_HAVE_AVX2
  if (current() != MK_ISA_SCALAR) return kScoreOpsAvx2;
#endif
  return kScoreOpsScalar;
}

const DetectOps& detect_ops() {
#if MK_HAVE_AVX2
  if (current() != MK_ISA_SCALAR) return kDetectOpsAvx2;
#endif
  return kDetectOpsScalar;
}

const SegmentOps& segment_ops() {
#if MK_HAVE_AVX2
  if (current() != MK_ISA_SCALAR) return kSegmentOpsAvx2;
#endif
  return kSegmentOpsScalar;
}

const EmbedOps& embed_ops() {
#if MK_HAVE_AVX2
  if (current() != MK_ISA_SCALAR) return kEmbedOpsAvx2;
#endif
  return kEmbedOpsScalar;
}

}  // namespace mobilekit

extern "C" {

int32_t mk_isa_available(int32_t isa) { return mobilekit::available(isa) ? 1 : 0; }

int32_t mk_isa_current(void) { return mobilekit::current(); }

int32_t mk_isa_force(int32_t isa) {
  if (!mobilekit::available(isa)) return MK_ERROR_ISA;
  __atomic_store_n(&mobilekit::g_isa, isa, __ATOMIC_RELAXED);
  return MK_OK;
}

const char* mk_isa_name(int32_t isa) {
  switch (isa) {
    case MK_ISA_SCALAR:
      return "scalar";
    case MK_ISA_AVX2:
      return "avx2";
    case MK_ISA_AVX512:
      return "avx512";
    case MK_ISA_NEON:
      return "neon";
    default:
      return "unknown";
  }
}

}  // extern "C"
