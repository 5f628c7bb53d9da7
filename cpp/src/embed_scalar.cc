// Embedding loops for the baseline of the compiler.
#include "embed.h"

namespace mobilekit {
namespace {
#include "embed-inl.h"
}  // namespace

const EmbedOps kEmbedOpsScalar = {dot_f32, dot_i8, scale_f32, scale_i8};

}  // namespace mobilekit
