// Embedding loops compiled for AVX2.
#include "embed.h"

#include "target.h"

#if MK_HAVE_AVX2
MK_BEGIN_TARGET(MK_AVX2_FEATURES)
namespace mobilekit {
namespace {
#include "embed-inl.h"
}  // namespace

const EmbedOps kEmbedOpsAvx2 = {dot_f32, dot_i8, scale_f32, scale_i8};

}  // namespace mobilekit
MK_END_TARGET
#endif  // MK_HAVE_AVX2
