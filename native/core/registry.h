// The op registry: names, contracts and one kernel table per instruction set.
#pragma once

#include "op.h"

namespace anneal {

enum class OpId : uint32_t {
#define ANNEAL_OP(name) name,
#include "../../kernels/ops.def"
#undef ANNEAL_OP
  count
};

constexpr uint32_t kOpCount = static_cast<uint32_t>(OpId::count);

const OpDef& opDef(uint32_t id);

enum class Isa { reference, baseline, avx2, avx512 };  // `baseline` is SSE2 on x86-64 and NEON on arm64
constexpr int kIsaCount = 4;

const char* isaName(Isa isa);
bool isaCompiled(Isa isa);
bool isaRunnable(Isa isa);  // compiled, and this CPU has it
Isa isaBest();
KernelFn kernel(Isa isa, uint32_t id);
const HalfFns& halfFns(Isa isa);

}  // namespace anneal
