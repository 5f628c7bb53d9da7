// A test that runs once on each instruction set of this machine; the others are skipped by name.
#ifndef MOBILEKIT_TESTS_EVERY_ISA_H_
#define MOBILEKIT_TESTS_EVERY_ISA_H_

#include <gtest/gtest.h>

#include <string>

#include "mobilekit/isa.h"

namespace mobilekit {

class OnEveryIsa : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    best_ = mk_isa_current();
    if (!mk_isa_available(GetParam())) GTEST_SKIP() << "no " << mk_isa_name(GetParam()) << " here";
    mk_isa_force(GetParam());
  }
  void TearDown() override { mk_isa_force(best_); }
  int best_;
};

}  // namespace mobilekit

#define MK_ON_EVERY_ISA(suite)                                                                                   \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::Values(MK_ISA_SCALAR, MK_ISA_AVX2, MK_ISA_AVX512, MK_ISA_NEON), \
                           [](const auto& info) { return std::string(mk_isa_name(info.param)); })

#endif  // MOBILEKIT_TESTS_EVERY_ISA_H_
