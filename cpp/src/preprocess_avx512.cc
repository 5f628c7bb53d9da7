#include "row_ops.h"

namespace mobilekit {
const RowOps* row_ops_avx512() { return nullptr; }
}  // namespace mobilekit
