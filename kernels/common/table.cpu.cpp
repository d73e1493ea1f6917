// The kernel table of one instruction set.
#include "../../native/core/op.h"

namespace anneal::ANNEAL_ISA {

#define ANNEAL_OP(name) void name(const OpCall&);
#include "../ops.def"
#undef ANNEAL_OP

extern const KernelFn kTable[];
const KernelFn kTable[] = {
#define ANNEAL_OP(name) name,
#include "../ops.def"
#undef ANNEAL_OP
};

}  // namespace anneal::ANNEAL_ISA
