// sgemm on the CPU: packed panels and register tiles (gemm_engine.h), or B as it is for few rows (few_rows.h).
#include "sgemm.h"

#include "few_rows.h"
#include "window_product.h"

namespace anneal::ANNEAL_ISA {
namespace {

// The products that need no packing of B. False: not one of them.
bool multiplyFewRows(const OpCall& call, const SgemmParams& p, const float* a, const float* b, float* c,
                     const Epilogue& e) {
  const int64_t m = p.m, n = p.n, k = p.k;
  if (!p.transA && p.transB && m <= kDotRows) {
    dotProducts(call.exec, {a, m, b, n, k, c, n, 1, e.bias, 1, e.accumulate, e.activation});
    return true;
  }
  if (!p.transA && n == 1) {  // rows of A with a vector: C is contiguous whichever way round
    dotProducts(call.exec, {b, 1, a, m, k, c, 0, 1, e.bias, 0, e.accumulate, e.activation});
    return true;
  }
  if (!p.transB && m <= kUnpackedRows) {
    const MatrixPacker<kTileRows> packA{a, p.transA ? m : k, p.transA != 0};
    multiplyUnpacked(call.exec, m, n, k, packA, b, c, e);
    return true;
  }
  return false;
}

}  // namespace

void sgemm(const OpCall& call) {
  const auto& p = call.as<SgemmParams>();
  const int64_t n = p.n, k = p.k;
  int64_t m = p.m, batches = p.batch;
  if (m == 0 || n == 0 || batches == 0) return;
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
  if (batches == 1 && multiplyFewRows(call, p, call.input<float>(0), call.input<float>(1), c, epilogue)) return;
  // One B for a dense batch of A is one tall product.
  if (p.strideB == 0 && !p.transA && static_cast<int64_t>(p.strideA) == m * k) {
    m *= batches;
    batches = 1;
  }
  const bool inPlace = !p.transA && k > 0 && readsInPlace(m, 1, k, n);
  if (batches == 1 && inPlace) {
    const int64_t start = 0;
    multiplyWindows(call.exec, call.input<float>(0), 1, {1, m, 0, 0, k}, {&start, k}, 1, n, packB(0), {c, 0, 0, n}, epilogue);
    return;
  }
  if (batches > 1 && m * n * k < 16 * kSerialWork) {
    // Small matrices: one task has a few, so that waking threads is worth it.
    const int64_t each = m * n * k == 0 ? batches : 1 + kSerialWork / 2 / (m * n * k);
    parallelRange(call.exec, batches, each, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t batch = begin; batch < end; ++batch)
        if (inPlace)
          multiplyRows(call.exec, worker, call.input<float>(0) + batch * p.strideA, m, n, k, packB(batch), c + batch * m * n,
                       epilogue);
        else
          gemmSerial(call.exec, worker, m, n, k, packA(batch), packB(batch), c + batch * m * n, n, epilogue);
    });
    return;
  }
  for (int64_t batch = 0; batch < batches; ++batch)
    gemm(call.exec, m, n, k, packA(batch), packB(batch), c + batch * m * n, n, epilogue);
}

}  // namespace anneal::ANNEAL_ISA
