// sgemm: batched single-precision matrix product with bias and activation.
//
//   C[b] = activation(beta * C[b] + op(A[b]) op(B[b]) + bias),  op(X) = X or X^T,  beta = accumulate ? 1 : 0
//
// Shapes     op(A) [M,K], op(B) [K,N], bias [N], C [batch,M,N]; f32, row major and dense, any alignment.
//            A is stored [K,M] with transA, B is stored [N,K] with transB. Matrix b of A starts at element b * strideA
//            (0: one matrix for the whole batch), likewise B; C is dense.
// Operands   [a, b, bias?] -> [c]; c must not overlap a, b or bias.
// Blocking   Goto's: B packed into panels [KC][NR] (shared), a block of A into panels [KC][MR] (by each task), an MR x NR
//            tile of C in registers. Packing takes row and column strides, so that NN, NT, TN and TT cost the same. Numbers
//            and reasons in sgemm.tuning.h, the machinery in gemm_engine.h. Few columns: rows of A are read in place
//            (window_product.h); few rows: B is (few_rows.h).
// Threads    Blocks of C (and the batch) are tasks; the sum over K is never split, so results do not depend on threads.
// Numbers    f32 accumulation: KC products in registers, the blocks of K added to C in order.
// Edges      Without accumulate C is never read (NaN there does not leak). K = 0 gives activation(beta C + bias).
//            M, N or batch of 0 is nothing to do.
// Cost       2 batch M N K flops, 4 (MK + KN + MN) bytes at least: bound by FMAs beyond sizes of about 64.
// References Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (2008); BLIS.
#pragma once

#include <cstdint>

namespace anneal {

struct SgemmParams {
  uint32_t batch, m, n, k;
  uint32_t transA, transB;     // 0 or 1
  uint32_t strideA, strideB;   // elements from one matrix to the next; 0: the same one
  uint32_t accumulate;         // 0 or 1
  uint32_t activation;         // common/activation.h
};

}  // namespace anneal
