// Contract of elementwise_chain.
#include "elementwise_chain.h"

#include "../../native/core/check.h"

namespace anneal {

void elementwise_chain_reference(const OpCall&);

namespace {

constexpr uint32_t kNever = UINT32_MAX;

// Who uses the operands of a call.
struct Uses {
  uint32_t lastRead[kChainInputs];  // the last step that reads an input
  uint32_t stored[kChainOutputs];   // the step that an output is of
};

bool isSingle(const ElementwiseChainParams& p, uint32_t input) { return (p.single >> input & 1) != 0; }

// An operand of step s; `whole` if it must have `count` items.
void checkOperand(const ElementwiseChainParams& p, uint32_t s, uint32_t from, bool whole, Uses& uses) {
  check::condition(from < kFirstResult + s, Code::range,
                   "expected step %u to read an input or an earlier step, received operand %u", s, from);
  if (from == 0 || from >= kFirstResult) return;
  check::condition(!whole || !isSingle(p, from - 1), Code::argument,
                   "expected step %u of one operand to read more than a single item, received input %u", s, from - 1);
  uses.lastRead[from - 1] = s;
}

void checkStep(const ElementwiseChainParams& p, uint32_t s, Uses& uses) {
  const uint32_t code = p.code[s];
  if (code < kBinaryStep) {
    check::range("code", code, 0, static_cast<int64_t>(UnaryCode::count) - 1);
    check::condition(!givesTruth(static_cast<UnaryCode>(code)), Code::dtype,
                     "expected functions that give f32, received code %u", code);
    check::condition(p.a[s] != 0 && p.b[s] == 0, Code::argument,
                     "expected step %u to have one operand, received %u and %u", s, p.a[s], p.b[s]);
    checkOperand(p, s, p.a[s], true, uses);
  } else {
    check::range("code", code, kBinaryStep, kBinaryStep + static_cast<int64_t>(BinaryCode::count) - 1);
    check::condition(!givesTruth(static_cast<BinaryCode>(code - kBinaryStep)), Code::dtype,
                     "expected functions that give f32, received code %u", code);
    check::condition(p.a[s] != 0 || p.b[s] != 0, Code::argument,
                     "expected step %u to have an operand beside the scalar, received none", s);
    checkOperand(p, s, p.a[s], false, uses);
    checkOperand(p, s, p.b[s], false, uses);
  }
  const uint32_t store = p.store[s];
  check::range("store", store, 0, kChainOutputs);
  if (store == 0) return;
  check::condition(uses.stored[store - 1] == kNever, Code::argument,
                   "expected one step for output %u, received steps %u and %u", store - 1, uses.stored[store - 1], s);
  uses.stored[store - 1] = s;
}

// Every result must be stored or read by a later step.
void checkResults(const ElementwiseChainParams& p) {
  check::condition(p.store[p.steps - 1] != 0, Code::argument, "expected the last step to be stored");
  for (uint32_t s = 0; s < p.steps; ++s) {
    bool used = p.store[s] != 0;
    for (uint32_t t = s + 1; t < p.steps && !used; ++t) used = p.a[t] == kFirstResult + s || p.b[t] == kFirstResult + s;
    check::condition(used, Code::argument, "expected step %u to be stored or read, received neither", s);
  }
}

bool overlap(const BufferRef& a, const BufferRef& b) {
  const auto x = reinterpret_cast<uintptr_t>(a.data);
  const auto y = reinterpret_cast<uintptr_t>(b.data);
  return x < y + b.bytes && y < x + a.bytes;
}

void checkOutput(const OpCall& call, uint32_t out, const Uses& uses) {
  const auto& p = call.as<ElementwiseChainParams>();
  for (uint32_t in = 0; in < call.nIn; ++in) {
    if (uses.lastRead[in] == kNever) continue;
    if (!isSingle(p, in) && call.in[in].data == call.out[out].data && uses.lastRead[in] <= uses.stored[out]) continue;
    check::distinct(call, out, in);
  }
  for (uint32_t other = 0; other < out; ++other)
    check::condition(uses.stored[other] == kNever || !overlap(call.out[out], call.out[other]), Code::argument,
                     "expected output %u not to overlap output %u", out, other);
}

void checkChain(const OpCall& call) {
  const auto& p = call.as<ElementwiseChainParams>();
  check::range("steps", p.steps, 1, kChainSteps);
  Uses uses;
  for (uint32_t& s : uses.lastRead) s = kNever;
  for (uint32_t& s : uses.stored) s = kNever;
  for (uint32_t s = 0; s < p.steps; ++s) checkStep(p, s, uses);
  checkResults(p);
  for (uint32_t i = 0; i < kChainInputs; ++i) {
    if (uses.lastRead[i] != kNever)
      check::input(call, i, "in", isSingle(p, i) ? 1 : p.count);
    else
      check::condition(i >= call.nIn || call.in[i].data == nullptr, Code::argument,
                       "expected a step that reads input %u, received none", i);
  }
  for (uint32_t o = 0; o < kChainOutputs; ++o) {
    if (uses.stored[o] != kNever)
      check::output(call, o, "out", p.count);
    else
      check::condition(o >= call.nOut || call.out[o].data == nullptr, Code::argument,
                       "expected a step that is stored to output %u, received none", o);
  }
  for (uint32_t o = 0; o < kChainOutputs; ++o)
    if (uses.stored[o] != kNever) checkOutput(call, o, uses);
}

const Field kFields[] = {
    ANNEAL_FIELD(ElementwiseChainParams, count, u32, 1),
    ANNEAL_FIELD(ElementwiseChainParams, steps, u32, 1),
    ANNEAL_FIELD(ElementwiseChainParams, single, u32, 1),
    ANNEAL_FIELD(ElementwiseChainParams, code, u32, kChainSteps),
    ANNEAL_FIELD(ElementwiseChainParams, a, u32, kChainSteps),
    ANNEAL_FIELD(ElementwiseChainParams, b, u32, kChainSteps),
    ANNEAL_FIELD(ElementwiseChainParams, store, u32, kChainSteps),
    ANNEAL_FIELD(ElementwiseChainParams, scalar, f32, kChainSteps),
    ANNEAL_FIELD(ElementwiseChainParams, alpha, f32, kChainSteps),
    ANNEAL_FIELD(ElementwiseChainParams, beta, f32, kChainSteps),
};

}  // namespace

OpDef elementwise_chain_op() {
  return {"elementwise_chain", sizeof(ElementwiseChainParams), kFields, sizeof kFields / sizeof kFields[0], 1,
          kChainInputs, 1, kChainOutputs, checkChain, elementwise_chain_reference};
}

}  // namespace anneal
