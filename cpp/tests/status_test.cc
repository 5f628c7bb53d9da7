#include "mobilekit/status.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "mobilekit/isa.h"

namespace {

TEST(Status, EveryCodeHasItsOwnName) {
  std::set<std::string> names;
  for (int32_t code = MK_OK; code <= MK_ERROR_THRESHOLD; ++code) names.insert(mk_status_name(code));
  EXPECT_EQ(MK_ERROR_THRESHOLD + 1, static_cast<int>(names.size()));
  EXPECT_EQ(0u, names.count("MK_ERROR_UNKNOWN"));
  EXPECT_STREQ("MK_ERROR_CROP", mk_status_name(MK_ERROR_CROP));
  EXPECT_STREQ("MK_ERROR_UNKNOWN", mk_status_name(-1));
}

TEST(Isa, ScalarIsAlwaysThereAndNonsenseNever) {
  EXPECT_TRUE(mk_isa_available(MK_ISA_SCALAR));
  EXPECT_TRUE(mk_isa_available(mk_isa_current()));
  EXPECT_EQ(MK_ERROR_ISA, mk_isa_force(17));
  EXPECT_STREQ("unknown", mk_isa_name(17));
}

}  // namespace
