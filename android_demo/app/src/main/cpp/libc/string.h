// What the kernels use of bionic's string.h; the NDK, which has all of it, cannot be had from a package registry.
#ifndef MOBILEKIT_LIBC_STRING_H_
#define MOBILEKIT_LIBC_STRING_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void* memcpy(void* to, const void* from, size_t bytes);
void* memmove(void* to, const void* from, size_t bytes);
void* memset(void* to, int value, size_t bytes);
int memcmp(const void* a, const void* b, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_LIBC_STRING_H_
