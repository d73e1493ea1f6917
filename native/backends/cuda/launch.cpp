#include "launch.h"

#include "../../core/registry.h"

namespace anneal::cuda {
namespace ops {

#define ANNEAL_OP(name) void name(Call&);
#include "../../../kernels/ops.def"
#undef ANNEAL_OP

}  // namespace ops

LaunchFn launchesOf(uint32_t op) {
  static constexpr LaunchFn table[] = {
#define ANNEAL_OP(name) ops::name,
#include "../../../kernels/ops.def"
#undef ANNEAL_OP
  };
  static_assert(sizeof table / sizeof *table == kOpCount);
  return table[op];
}

}  // namespace anneal::cuda
