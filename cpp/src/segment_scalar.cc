// Segmentation loops for the baseline of the compiler.
#include "segment.h"

namespace mobilekit {
namespace {
#include "segment-inl.h"
}  // namespace

const SegmentOps kSegmentOpsScalar = {best_f32, best_i8, blend_f32, blend_i8, best_of};

}  // namespace mobilekit
