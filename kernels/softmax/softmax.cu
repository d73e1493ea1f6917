// softmax and its backward on CUDA (contract: softmax.h). 8 and 12 bytes an item, about 15 flops: memory binds.
//
// A team a row (rows.cuh): 8 lanes up to 32 columns, a warp up to 1,024, else a block of 256. The row waits in registers between the
// maximum, the sum of exponentials and the result, 8,192 columns of it in a block (backward: 4,096): memory is read once and each exponential
// taken once. What is beyond is read again, and its exponentials are taken twice.
#include "softmax.cuda.h"
#include "../common/rows.cuh"

namespace anneal::cuda {
namespace {

template <int Threads, int Kept, bool Vectors> ANNEAL_GPU void forward(const SoftmaxArgs& args) {
  using Walk = RowWalk<Threads, Kept, Vectors>;
  const Walk walk = walkOf<Walk, Threads>(args.params.rows, args.params.cols);
  const bool log = args.params.log != 0;
  Four kept[Kept];
  float largest = -INFINITY;
  walk.each([&](int k, int64_t c) {
    const Four x = walk.load(args.x, walk.start, c, -INFINITY);
    if (k < Kept) kept[k] = x;
    // A NaN is passed over here, and met by the sum.
    largest = fmaxf(fmaxf(largest, fmaxf(x.item[0], x.item[1])), fmaxf(x.item[2], x.item[3]));
  });
  largest = teamMax<Threads>(largest);
  LongSum exponentials;
  walk.each([&](int k, int64_t c) {
    const Four x = k < Kept ? kept[k] : walk.load(args.x, walk.start, c, -INFINITY);
    const Four shifted = eachOf([&](int i) { return x.item[i] - largest; });
    const Four e = eachOf([&](int i) { return expf(shifted.item[i]); });
    if (k < Kept) kept[k] = log ? shifted : e;
    exponentials.add(e);
  });
  const float sum = teamSum<Threads>(exponentials.end()), logSum = logf(sum);
  walk.each([&](int k, int64_t c) {
    Four v = k < Kept ? kept[k] : walk.load(args.x, walk.start, c, 0);
    if (k == Kept) v = eachOf([&](int i) { return log ? v.item[i] - largest : expf(v.item[i] - largest); });
    walk.store(args.y, walk.start, c, eachOf([&](int i) { return log ? v.item[i] - logSum : v.item[i] / sum; }));
  });
}

template <int Threads, int Kept, bool Vectors> ANNEAL_GPU void backward(const SoftmaxBackwardArgs& args) {
  using Walk = RowWalk<Threads, Kept, Vectors>;
  const Walk walk = walkOf<Walk, Threads>(args.params.rows, args.params.cols);
  const bool log = args.params.log != 0;
  Four y[Kept], dy[Kept];
  LongSum sums;
  walk.each([&](int k, int64_t c) {
    const Four a = walk.load(args.y, walk.start, c, 0), b = walk.load(args.dy, walk.start, c, 0);
    if (k < Kept) {
      y[k] = a;
      dy[k] = b;
    }
    sums.add(eachOf([&](int i) { return log ? b.item[i] : a.item[i] * b.item[i]; }));
  });
  const float sum = teamSum<Threads>(sums.end());
  walk.each([&](int k, int64_t c) {
    const Four a = k < Kept ? y[k] : walk.load(args.y, walk.start, c, 0), b = k < Kept ? dy[k] : walk.load(args.dy, walk.start, c, 0);
    walk.store(args.dx, walk.start, c,
               eachOf([&](int i) { return log ? b.item[i] - expf(a.item[i]) * sum : a.item[i] * (b.item[i] - sum); }));
  });
}

template <int Threads, int Kept> ANNEAL_GPU void forwardRow(const SoftmaxArgs& args) {
  if (args.vectors != 0) forward<Threads, Kept, true>(args);
  else forward<Threads, Kept, false>(args);
}
template <int Threads, int Kept> ANNEAL_GPU void backwardRow(const SoftmaxBackwardArgs& args) {
  if (args.vectors != 0) backward<Threads, Kept, true>(args);
  else backward<Threads, Kept, false>(args);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) softmax_8(const SoftmaxArgs args) { forwardRow<8, 1>(args); }
extern "C" __global__ void __launch_bounds__(256) softmax_32(const SoftmaxArgs args) { forwardRow<32, 8>(args); }
extern "C" __global__ void __launch_bounds__(256) softmax_256(const SoftmaxArgs args) { forwardRow<256, 8>(args); }

extern "C" __global__ void __launch_bounds__(256) softmax_backward_8(const SoftmaxBackwardArgs args) { backwardRow<8, 1>(args); }
extern "C" __global__ void __launch_bounds__(256) softmax_backward_32(const SoftmaxBackwardArgs args) { backwardRow<32, 8>(args); }
extern "C" __global__ void __launch_bounds__(256) softmax_backward_256(const SoftmaxBackwardArgs args) { backwardRow<256, 4>(args); }

}  // namespace anneal::cuda
