// The kernel table of one instruction set.
#include "../../native/core/op.h"

namespace anneal::ANNEAL_ISA {

#define ANNEAL_OP(name) void name(const OpCall&);
#include "../ops.def"
#undef ANNEAL_OP

extern const KernelFn kTable[];
extern const HalfFns kHalfFns;
const KernelFn kTable[] = {
#define ANNEAL_OP(name) name,
#include "../ops.def"
#undef ANNEAL_OP
};

void widen(float* to, const uint16_t* from, size_t count);
void narrow(uint16_t* to, const float* from, size_t count);
const HalfFns kHalfFns{widen, narrow};

}  // namespace anneal::ANNEAL_ISA
