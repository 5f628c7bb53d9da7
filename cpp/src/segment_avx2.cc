// Segmentation loops compiled for AVX2.
#include "segment.h"

#include "target.h"

#if MK_HAVE_AVX2
MK_BEGIN_TARGET(MK_AVX2_FEATURES)
namespace mobilekit {
namespace {
#include "segment-inl.h"
}  // namespace

const SegmentOps kSegmentOpsAvx2 = {best_f32, best_i8, blend_f32, blend_i8, best_of};

}  // namespace mobilekit
MK_END_TARGET
#endif  // MK_HAVE_AVX2
