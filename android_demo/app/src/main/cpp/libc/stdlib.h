// For clang's <immintrin.h>, whose _mm_malloc names these; the kernels allocate nothing, and nothing here is linked.
#ifndef MOBILEKIT_LIBC_STDLIB_H_
#define MOBILEKIT_LIBC_STDLIB_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void* malloc(size_t bytes);
void free(void* memory);
int posix_memalign(void** memory, size_t alignment, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_LIBC_STDLIB_H_
