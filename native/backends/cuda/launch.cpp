#include "launch.h"

#include "../../../kernels/common/half.cuda.h"
#include "../../core/half.h"
#include "../../core/registry.h"

namespace anneal::cuda {
namespace ops {

#define ANNEAL_OP(name) void name(Call&);
#include "../../../kernels/ops.def"
#undef ANNEAL_OP

}  // namespace ops

namespace {

using LaunchFn = void (*)(Call&);

LaunchFn launchesOf(uint32_t op) {
  static constexpr LaunchFn table[] = {
#define ANNEAL_OP(name) ops::name,
#include "../../../kernels/ops.def"
#undef ANNEAL_OP
  };
  static_assert(sizeof table / sizeof *table == kOpCount);
  return table[op];
}

constexpr uint32_t kBlock = 256;

Dim gridFor(int64_t count) { return {ceilDiv(count, int64_t{kBlock} * kHalvesPerThread)}; }

template <class T> Span<T> itemsOf(const BufferRef& ref) {
  return {static_cast<T*>(ref.data), static_cast<int64_t>(ref.bytes / sizeof(T))};
}

void launchWidened(LaunchFn launches, const OpCall& call, const Traits& traits, Launcher& launcher) {
  const uint32_t count = call.nIn + call.nOut;
  BufferRef stored[kMaxOperands], seen[kMaxOperands];
  const Call around(call, traits, launcher);
  const auto isWidened = [&](uint32_t i) { return call.isHalf(i) && stored[i].bytes > 0; };
  for (uint32_t i = 0; i < count; ++i) {
    stored[i] = seen[i] = i < call.nIn ? call.in[i] : call.out[i - call.nIn];
    if (!isWidened(i)) continue;
    const auto from = itemsOf<const uint16_t>(stored[i]);
    const auto to = around.scratch<float>(from.size);
    seen[i] = {to.data, static_cast<size_t>(to.size) * sizeof(float)};
    around.launch("half/half_widen", gridFor(from.size), {kBlock}, WidenArgs{from, to, alignedBy16(from)});
  }
  const OpCall widened{call.params, seen, seen + call.nIn, call.nIn, call.nOut, call.exec};
  Call with(widened, traits, launcher);
  launches(with);
  for (uint32_t i = call.nIn; i < count; ++i) {
    if (!isWidened(i)) continue;
    const auto to = itemsOf<uint16_t>(stored[i]);
    around.launch("half/half_narrow", gridFor(to.size), {kBlock}, NarrowArgs{itemsOf<const float>(seen[i]), to, alignedBy16(to)});
  }
}

}  // namespace

void launchOp(uint32_t op, const OpCall& call, const Traits& traits, Launcher& launcher) {
  if (call.half != 0) return launchWidened(launchesOf(op), call, traits, launcher);
  Call with(call, traits, launcher);
  launchesOf(op)(with);
}

}  // namespace anneal::cuda
