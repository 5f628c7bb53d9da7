// Detection loops for the baseline of the compiler.
#include "detect.h"

#include "target.h"

namespace mobilekit {
namespace {
#include "detect-inl.h"
}  // namespace

const DetectOps kDetectOpsScalar = {max_columns_f32, max_columns_i8, class_columns_f32, class_columns_i8, suppressed};

}  // namespace mobilekit
