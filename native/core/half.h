// Operands that are stored as f16 (IEEE 754 binary16). A contract knows f32 alone: around the kernel's call such operands are
// widened into scratch memory, and what it wrote is rounded to the nearest f16, ties to even, and stored.
#pragma once

#include "registry.h"

namespace anneal {

constexpr size_t kHalfBytes = 2;

// Those of the reference kernels.
extern const HalfFns kPortableHalfFns;

// Calls the kernel on the call's operands as f32. Outputs too are widened first: an op may read them, or leave parts as they are.
// Raises E_OOM.
void runWidened(KernelFn kernel, const OpCall& call, const HalfFns& fns);

// How every kernel is called.
inline void runKernel(KernelFn kernel, Isa isa, const OpCall& call) {
  if (call.half == 0) kernel(call);
  else runWidened(kernel, call, halfFns(isa));
}

}  // namespace anneal
