#include "row_ops.h"

namespace mobilekit {
const RowOps* row_ops_neon() { return nullptr; }
}  // namespace mobilekit
