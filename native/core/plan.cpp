#include "plan.h"

#include <cstring>

#include "check.h"
#include "no_exec.h"

namespace anneal {

void Plan::add(uint32_t op, uint32_t nIn, uint32_t nOut, uint32_t half, const PlanOperand* first) {
  if (op >= kOpCount) raise(Code::argument, "expected op to be below %u, received %u", kOpCount, op);
  const OpDef& def = opDef(op);
  checkOperandCounts(def, nIn, nOut);
  for (uint32_t i = 0; i < nIn + nOut; ++i)
    if (first[i].slot != kNoSlot && first[i].slot >= slots)
      raise(Code::argument, "%s: expected operand %u on a slot below %u, received %u", def.name, i, slots, first[i].slot);
  ops.push_back({op, nIn, nOut, half, static_cast<uint32_t>(operands.size()), paramBytes});
  operands.insert(operands.end(), first, first + nIn + nOut);
  paramBytes += (def.paramBytes + 7) / 8 * 8;
}

OpCall PlanRun::call(const PlanOp& op, Exec& exec) const {
  const BufferRef* const first = operands.data() + op.firstOperand;
  return {params.data() + op.params, first, first + op.nIn, op.nIn, op.nOut, exec, op.half};
}

void PlanRun::bind(const BufferRef* slots, const void* paramBytes, Isa with, const char*& op) {
  isa = with;
  params.resize(plan->paramBytes);
  if (!params.empty()) std::memcpy(params.data(), paramBytes, params.size());
  operands.resize(plan->operands.size());
  NoExec none;
  for (const PlanOp& each : plan->ops) {
    const OpDef& def = opDef(each.op);
    op = def.name;
    for (uint32_t i = 0; i < each.nIn + each.nOut; ++i) {
      const PlanOperand& operand = plan->operands[each.firstOperand + i];
      BufferRef& ref = operands[each.firstOperand + i];
      if (operand.slot == kNoSlot) {
        ref = {nullptr, 0};
        continue;
      }
      const BufferRef& slot = slots[operand.slot];
      if (operand.offset > slot.bytes || operand.bytes > slot.bytes - operand.offset)
        raise(Code::range, "expected operand %u within slot %u of %zu bytes, received %llu bytes at %llu", i, operand.slot,
              slot.bytes, static_cast<unsigned long long>(operand.bytes), static_cast<unsigned long long>(operand.offset));
      ref = {static_cast<std::byte*>(slot.data) + operand.offset, static_cast<size_t>(operand.bytes)};
    }
    check::call(def, call(each, none));
  }
}

}  // namespace anneal
