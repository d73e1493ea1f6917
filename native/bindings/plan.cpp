#include "../core/plan.h"

#include <cstring>

#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

constexpr uint32_t kMaxPlanOps = 1 << 20;
constexpr uint32_t kMaxSlots = 1 << 20;
constexpr size_t kPlanOpBytes = 4 * sizeof(uint32_t);

// (slot or -1, byteOffset, byteLength)
PlanOperand operandOf(const double* triple) {
  if (triple[0] == -1) return {kNoSlot, 0, 0};
  if (!isInteger(triple[0], kMaxSlots) || !isInteger(triple[1], 0x1p53) || !isInteger(triple[2], 0x1p53))
    raise(Code::argument, "expected operands to be integers (slot or -1, byteOffset, byteLength)");
  return {static_cast<uint32_t>(triple[0]), static_cast<uint64_t>(triple[1]), static_cast<uint64_t>(triple[2])};
}

}  // namespace

Napi::Value bindPlanCreate(const Napi::CallbackInfo& info) {
  return guarded(info, "plan", [&]() -> Napi::Value {
    auto plan = std::make_shared<Plan>();
    plan->slots = static_cast<uint32_t>(integerArgument(info, 0, "slots", kMaxSlots));
    const Bytes ops = typedArgument(info, 1, "ops", napi_uint32_array, "Uint32Array");
    const Bytes operands = typedArgument(info, 2, "operands", napi_float64_array, "Float64Array");
    const size_t count = ops.size / kPlanOpBytes, given = operands.size / sizeof(Operand);
    if (ops.size % kPlanOpBytes != 0 || count > kMaxPlanOps)
      raise(Code::argument, "expected ops to be fours (op, nIn, nOut, half), at most %u of them", kMaxPlanOps);
    size_t at = 0;
    for (size_t i = 0; i < count; ++i) {
      uint32_t op[4];
      std::memcpy(op, ops.data + i * sizeof op, sizeof op);
      if (op[1] > kMaxOperands || op[2] > kMaxOperands || op[1] + op[2] > given - at)
        raise(Code::argument, "expected op %zu of the plan to have its %u + %u operands", i, op[1], op[2]);
      PlanOperand list[2 * kMaxOperands];
      for (uint32_t k = 0; k < op[1] + op[2]; ++k) {
        double triple[3];
        std::memcpy(triple, operands.data + (at + k) * sizeof triple, sizeof triple);
        list[k] = operandOf(triple);
      }
      plan->add(op[0], op[1], op[2], op[3], list);
      at += op[1] + op[2];
    }
    return Napi::Number::New(info.Env(), Context::of(info).addPlan(std::move(plan)));
  });
}

Napi::Value bindPlanRun(const Napi::CallbackInfo& info) {
  const char* op = "plan";
  try {
    Context& context = Context::of(info);
    const auto& plan = context.plan(static_cast<uint32_t>(integerArgument(info, 0, "plan", UINT32_MAX)));
    const Bytes bindings = typedArgument(info, 1, "bindings", napi_float64_array, "Float64Array");
    const Bytes params = typedArgument(info, 2, "params", napi_uint8_array, "Uint8Array");
    if (bindings.size != plan->slots * sizeof(Operand))
      raise(Code::argument, "expected a binding for each of %u slots, received %zu", plan->slots, bindings.size / sizeof(Operand));
    if (params.size != plan->paramBytes)
      raise(Code::argument, "expected %u bytes of params, received %zu", plan->paramBytes, params.size);
    DeviceQueue& queue = context.queue();
    std::vector<BufferRef> slots(plan->slots);
    std::vector<BufferPool::Buffer*> owners(plan->slots);
    for (uint32_t i = 0; i < plan->slots; ++i) {
      Operand operand;
      std::memcpy(&operand, bindings.data + i * sizeof operand, sizeof operand);
      slots[i] = context.resolve(operand, i, owners[i]);
    }
    std::unique_ptr<PlanRun> run = queue.idleRun();
    run->plan = plan;
    run->bind(slots.data(), params.data, context.isa(), op);
    const uint64_t sequence = queue.push(std::move(run));
    for (BufferPool::Buffer* owner : owners)
      if (owner != nullptr) owner->block.lastUse = sequence;
    return info.Env().Undefined();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Failure failure = currentFailure(op);
    throw makeError(info.Env(), failure.code, failure.message);
  }
}

Napi::Value bindPlanFree(const Napi::CallbackInfo& info) {
  return guarded(info, "plan", [&]() -> Napi::Value {
    Context::of(info).freePlan(static_cast<uint32_t>(integerArgument(info, 0, "plan", UINT32_MAX)));
    return info.Env().Undefined();
  });
}

}  // namespace anneal
