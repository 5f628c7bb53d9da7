// Which versions this compiler can build, and the brackets around code of one instruction set.
//
// The brackets stand where other projects pass -mavx2 to one file: they need no per-file flags in three build systems, and
// an inline function of a shared header can never be compiled with AVX2 and then be the copy that the linker keeps.
#ifndef MOBILEKIT_SRC_TARGET_H_
#define MOBILEKIT_SRC_TARGET_H_

#if defined(__x86_64__) && defined(__GNUC__)
#define MK_HAVE_AVX2 1
#define MK_HAVE_AVX512 1
#else
#define MK_HAVE_AVX2 0
#define MK_HAVE_AVX512 0
#endif

#if defined(__aarch64__) && defined(__ARM_NEON)
#define MK_HAVE_NEON 1
#else
#define MK_HAVE_NEON 0
#endif

#define MK_AVX2_FEATURES "avx2,f16c"
#define MK_AVX512_FEATURES "avx2,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi"

#define MK_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define MK_BEGIN_TARGET(features) \
  MK_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define MK_END_TARGET MK_PRAGMA(clang attribute pop)
#else
#define MK_BEGIN_TARGET(features) MK_PRAGMA(GCC push_options) MK_PRAGMA(GCC target(features))
#define MK_END_TARGET MK_PRAGMA(GCC pop_options)
#endif

#endif  // MOBILEKIT_SRC_TARGET_H_
