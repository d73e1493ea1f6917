// How elementwise_chain is launched on CUDA: the chain becomes steps over slots.
#include "elementwise_chain.cuda.h"

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

// The last step that reads `operand`, as the contract numbers operands; -1: none.
int lastRead(const ElementwiseChainParams& p, uint32_t operand) {
  int last = -1;
  for (uint32_t s = 0; s < p.steps; ++s)
    if (p.a[s] == operand || p.b[s] == operand) last = static_cast<int>(s);
  return last;
}

// Inputs and steps of `args`. Slots: first the inputs', then those of results that have to wait; a slot is free again from the last step
// that reads it on, since a step reads before it writes.
void planSlots(const ElementwiseChainParams& p, const Call& call, ChainArgs& args) {
  constexpr uint32_t kMost = kChainInputs + kChainSteps;
  uint32_t slotOf[kFirstResult + kChainSteps];
  int busyUntil[kMost];
  for (uint32_t& slot : slotOf) slot = kNoSlot;
  for (uint32_t i = 0; i < kChainInputs; ++i) {
    const int last = lastRead(p, 1 + i);
    if (last < 0) continue;
    args.in[args.inputs] = call.input<float>(i);
    args.single |= (p.single >> i & 1) << args.inputs;
    busyUntil[args.inputs] = last;
    slotOf[1 + i] = args.inputs++;
  }
  args.slots = args.inputs;
  args.steps = p.steps;
  for (uint32_t s = 0; s < p.steps; ++s) {
    const auto from = [&](uint32_t operand) {
      return operand == 0 ? kScalarOperand : operand == kFirstResult + s - 1 && s > 0 ? kPreviousResult : slotOf[operand];
    };
    ChainStep& step = args.step[s];
    step = {p.code[s], from(p.a[s]), from(p.b[s]), kNoSlot, p.store[s], p.scalar[s], p.alpha[s], p.beta[s]};
    const int last = lastRead(p, kFirstResult + s);
    if (last <= static_cast<int>(s) + 1) continue;
    uint32_t slot = 0;
    while (slot < args.slots && busyUntil[slot] > static_cast<int>(s)) ++slot;
    if (slot == args.slots) ++args.slots;
    busyUntil[slot] = last;
    step.slot = slotOf[kFirstResult + s] = slot;
  }
}

}  // namespace

void elementwise_chain(Call& call) {
  const auto& p = call.as<ElementwiseChainParams>();
  ChainArgs args{};
  args.count = p.count;
  planSlots(p, call, args);
  bool fours = true;
  for (uint32_t i = 0; i < args.inputs; ++i) fours = fours && ((args.single >> i & 1) != 0 || alignedBy16(args.in[i]));
  for (uint32_t o = 0; o < kChainOutputs; ++o) {
    args.out[o] = call.output<float>(o);
    fours = fours && alignedBy16(args.out[o]);
  }
  const auto bytes = static_cast<uint32_t>(args.slots * kChainItems * kChainThreads * sizeof(float));
  call.launch(fours ? "elementwise_chain/chain4" : "elementwise_chain/chain1", {ceilDiv(args.count, kChainItems * kChainThreads)},
              {kChainThreads}, args, bytes);
}

}  // namespace anneal::cuda::ops
