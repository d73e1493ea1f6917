// Bodies that are not written yet: an op without one says so when it is run.
#include "../../core/status.h"
#include "launch.h"

namespace anneal::cuda::ops {

#define ANNEAL_OP(name) \
  __attribute__((weak)) void name(Call&) { raise(Code::device, "no CUDA kernel yet"); }
#include "../../../kernels/ops.def"
#undef ANNEAL_OP

}  // namespace anneal::cuda::ops
