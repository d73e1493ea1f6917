// Reference of elementwise_chain: item by item, each step in double and then rounded to f32, as the single ops do.
#include "../elementwise/reference.h"
#include "elementwise_chain.h"

namespace anneal {

void elementwise_chain_reference(const OpCall& call) {
  const auto& p = call.as<ElementwiseChainParams>();
  for (int64_t i = 0; i < p.count; ++i) {
    float inputs[kChainInputs];  // before any output is written, which may be one of them
    for (uint32_t k = 0; k < call.nIn; ++k)
      if (call.in[k].data != nullptr) inputs[k] = call.input<float>(k)[(p.single >> k & 1) != 0 ? 0 : i];
    float results[kChainSteps];
    for (uint32_t s = 0; s < p.steps; ++s) {
      const auto operand = [&](uint32_t from) {
        if (from == 0) return p.scalar[s];
        return from < kFirstResult ? inputs[from - 1] : results[from - kFirstResult];
      };
      const uint32_t code = p.code[s];
      const double y = code < kBinaryStep
                           ? unaryValue(static_cast<UnaryCode>(code), operand(p.a[s]), p.alpha[s], p.beta[s])
                           : binaryValue(static_cast<BinaryCode>(code - kBinaryStep), operand(p.a[s]), operand(p.b[s]),
                                         p.alpha[s], p.beta[s]);
      results[s] = static_cast<float>(y);
      if (p.store[s] != 0) call.output<float>(p.store[s] - 1)[i] = results[s];
    }
  }
}

}  // namespace anneal
