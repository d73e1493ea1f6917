// sgemm on the CPU: packed panels and register tiles (gemm_engine.h).
#include "sgemm.h"

#include "gemm_engine.h"

namespace anneal::ANNEAL_ISA {

void sgemm(const OpCall& call) {
  const auto& p = call.as<SgemmParams>();
  const int64_t m = p.m, n = p.n, k = p.k;
  if (m == 0 || n == 0) return;
  const Epilogue epilogue{call.nIn > 2 ? call.input<float>(2) : nullptr, static_cast<Activation>(p.activation),
                          p.accumulate != 0};
  const auto packA = [&](int64_t batch) {
    return MatrixPacker<kTileRows>{call.input<float>(0) + batch * p.strideA, p.transA ? m : k, p.transA != 0};
  };
  // B is packed by columns, so the matrix as stored is the transposed case.
  const auto packB = [&](int64_t batch) {
    return MatrixPacker<kTileColumns>{call.input<float>(1) + batch * p.strideB, p.transB ? k : n, p.transB == 0};
  };
  float* const c = call.output<float>(0);
  if (p.batch > 1 && m * n * k < 16 * kSerialWork) {
    // Small matrices: one task has a few, so that waking threads is worth it.
    const int64_t each = m * n * k == 0 ? p.batch : 1 + kSerialWork / 2 / (m * n * k);
    parallelRange(call.exec, p.batch, each, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t batch = begin; batch < end; ++batch)
        gemmSerial(call.exec, worker, m, n, k, packA(batch), packB(batch), c + batch * m * n, n, epilogue);
    });
    return;
  }
  for (int64_t batch = 0; batch < p.batch; ++batch)
    gemm(call.exec, m, n, k, packA(batch), packB(batch), c + batch * m * n, n, epilogue);
}

}  // namespace anneal::ANNEAL_ISA
