// What an op's check is given to run on, and what holds for its operands before it looks at them.
#pragma once

#include "op.h"

namespace anneal {

// A check needs no services; asking for one from there is a mistake in the op.
class NoExec final : public Exec {
 public:
  int threads() const override { return 1; }
  void parallelFor(int64_t, Body, void*) override { raise(Code::internal, "a check may not run tasks"); }
  void* scratch(int, int, size_t) override { raise(Code::internal, "a check may not ask for scratch"); }
};

inline void checkOperandCounts(const OpDef& def, uint32_t nIn, uint32_t nOut) {
  if (nIn < def.minIn || nIn > def.maxIn || nOut < def.minOut || nOut > def.maxOut || nIn + nOut > kMaxOperands)
    raise(Code::argument, "expected %u to %u inputs and %u to %u outputs, received %u and %u", def.minIn, def.maxIn,
          def.minOut, def.maxOut, nIn, nOut);
}

}  // namespace anneal
