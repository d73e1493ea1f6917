// The oracle of sgemm.
#include "../../native/core/op.h"
#include "../common/activation.h"
#include "sgemm.h"

namespace anneal {

void sgemm_reference(const OpCall& call) {
  const auto& p = call.as<SgemmParams>();
  const float* bias = call.nIn > 2 ? call.input<float>(2) : nullptr;
  const int64_t m = p.m, n = p.n, k = p.k;
  if (m == 0 || n == 0) return;
  for (int64_t item = 0; item < p.batch; ++item) {
    const float* a = call.input<float>(0) + item * p.strideA;
    const float* b = call.input<float>(1) + item * p.strideB;
    float* c = call.output<float>(0) + item * m * n;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double total = p.accumulate ? static_cast<double>(c[i * n + j]) : 0;
        if (bias) total += bias[j];
        for (int64_t l = 0; l < k; ++l)
          total += static_cast<double>(a[p.transA ? l * m + i : i * k + l]) * b[p.transB ? j * k + l : l * n + j];
        c[i * n + j] = static_cast<float>(activate(total, static_cast<Activation>(p.activation)));
      }
  }
}

}  // namespace anneal
