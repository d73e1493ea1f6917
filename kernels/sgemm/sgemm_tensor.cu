// sgemm on matrix units (contract: sgemm.h; the tile: common/tensor_tile.cuh), where the user asked for TF32 or bf16: factors are rounded,
// sums are f32. Compute capability 8.0.
#include "../common/tensor_tile.cuh"
#include "matrix_place.cuh"

namespace anneal::cuda {
namespace {

template <Rounding R, bool TransA, bool TransB> ANNEAL_GPU void product(const SgemmArgs& args) {
  ProductPart part;
  if (!part.find(args, kTensorTile, kTensorTile)) return;
  const MatrixPlace<TransA> a = placeA<TransA>(args, part);
  const MatrixPlace<!TransB> b = placeB<!TransB>(args, part);
  const ProductEnd end{args.d, args.bias, args.accumulate, args.least, args.fours};
  multiplyTensorTile<R, TransA, !TransB>(a, b, part.row, part.column, part.kBegin, part.kEnd,
                                                 [&](int row, int column, float4 v) { part.finish(args, end, row, column, v); });
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256, 2) nn_tf32(const SgemmArgs args) { product<Rounding::tf32, false, false>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) nt_tf32(const SgemmArgs args) { product<Rounding::tf32, false, true>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) tn_tf32(const SgemmArgs args) { product<Rounding::tf32, true, false>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) nn_bf16(const SgemmArgs args) { product<Rounding::bf16, false, false>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) nt_bf16(const SgemmArgs args) { product<Rounding::bf16, false, true>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) tn_bf16(const SgemmArgs args) { product<Rounding::bf16, true, false>(args); }

}  // namespace anneal::cuda
