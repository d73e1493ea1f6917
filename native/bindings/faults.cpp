// Failures on demand (native/core/fault.h), for tests.
#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

constexpr uint64_t kMost = 1u << 30;

uint32_t countArgument(const Napi::CallbackInfo& info, size_t i, const char* name) {
  return static_cast<uint32_t>(integerArgument(info, i, name, kMost));
}

}  // namespace

Napi::Value bindFailAllocation(const Napi::CallbackInfo& info) {
  return guarded(info, "failAllocation", [&]() -> Napi::Value {
    const uint32_t first = countArgument(info, 0, "first"), times = countArgument(info, 1, "times");
    Fault& fault = Context::of(info).buffers().fault();
    const bool begun = fault.begun();
    fault.arm(first, times);
    return Napi::Boolean::New(info.Env(), begun);
  });
}

Napi::Value bindFailOp(const Napi::CallbackInfo& info) {
  return guarded(info, "failOp", [&]() -> Napi::Value {
    const auto op = static_cast<uint32_t>(integerArgument(info, 0, "op", kOpCount - 1));
    Context::of(info).queue().failOp(op, countArgument(info, 1, "first"), countArgument(info, 2, "times"));
    return info.Env().Undefined();
  });
}

Napi::Value bindFailScratch(const Napi::CallbackInfo& info) {
  return guarded(info, "failScratch", [&]() -> Napi::Value {
    Context::of(info).queue().failScratch(countArgument(info, 0, "first"), countArgument(info, 1, "times"));
    return info.Env().Undefined();
  });
}

}  // namespace anneal
