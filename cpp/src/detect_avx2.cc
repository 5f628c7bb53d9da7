// Detection loops compiled for AVX2.
#include "detect.h"

#include "target.h"

#if MK_HAVE_AVX2
MK_BEGIN_TARGET(MK_AVX2_FEATURES)
namespace mobilekit {
namespace {
#include "detect-inl.h"
}  // namespace

const DetectOps kDetectOpsAvx2 = {max_columns_f32, max_columns_i8, class_columns_f32, class_columns_i8, suppressed};

}  // namespace mobilekit
MK_END_TARGET
#endif  // MK_HAVE_AVX2
