// Which instruction set the kernels run on. The best one of the processor is chosen at the first call; mk_isa_force
// overrides it (the Python extension and the app read MOBILEKIT_ISA for that: a library has no business in getenv).
// Every version of a kernel gives the same bytes: integer results are equal, float results are equal too because all
// versions do the same operations in the same order and none contracts a multiply and an add.
#ifndef MOBILEKIT_ISA_H_
#define MOBILEKIT_ISA_H_

#include "mobilekit/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mk_isa { MK_ISA_SCALAR = 0, MK_ISA_AVX2 = 1, MK_ISA_AVX512 = 2, MK_ISA_NEON = 3 } mk_isa;

// 1 where this build has the version and this processor can run it.
int32_t mk_isa_available(int32_t isa);

// The version in use.
int32_t mk_isa_current(void);

// Chooses a version for all later calls; MK_ERROR_ISA where it is not available. Not to be called during a kernel.
int32_t mk_isa_force(int32_t isa);

// "scalar", "avx2", "avx512", "neon"; "unknown" otherwise.
const char* mk_isa_name(int32_t isa);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_ISA_H_
