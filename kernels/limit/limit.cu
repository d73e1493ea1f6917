// limit on CUDA (contract: limit.h): the device's own limits.
//
// fma_chains   A thread keeps 16 of a task's chains in registers: four times what hides the latency of a multiply-add (4 cycles, one a cycle
//              and lane) even for a warp alone.
// read_blocks  A block of threads a block of elements, side by side, four accesses of 16 bytes each before the first is used.
// triad, sgd, adamw  A thread four elements, by one access of 16 bytes an operand.
#include "limit.cuda.h"
#include "../common/cuda.cuh"

namespace anneal::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChains = 16;  // of a thread
static_assert(kFmaChains % kChains == 0, "a task is whole threads");

ANNEAL_GPU void sgdStep(float g, float& p, float& v, float& e) {
  v = 0.9f * v + (g + 1e-4f * p);
  p -= 1e-3f * v;
  e += 1e-3f * (p - e);
}
ANNEAL_GPU void adamwStep(float g, float& p, float& m, float& v, float& e) {
  m = 0.9f * m + 0.1f * g;
  v = 0.999f * v + 0.001f * g * g;
  p = (1.0f - 1e-5f) * p - 1e-3f * m / (sqrtf(v) + 1e-8f);
  e += 1e-3f * (p - e);
}

// Calls four(i) or one(i) for this thread's elements.
template <class Four, class One> ANNEAL_GPU void eachElement(const LimitArgs& args, Four four, One one) {
  const int64_t each = args.fours != 0 ? 4 : 1, i = flatThread() * each, n = args.params.n;
  if (i >= n) return;
  if (args.fours != 0 && i + 4 <= n) {
    four(i);
    return;
  }
  for (int64_t k = i; k < i + each && k < n; ++k) one(k);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) fma_chains(const LimitArgs args) {
  const int64_t first = flatThread() * kChains;
  if (first >= static_cast<int64_t>(args.params.n) * kFmaChains) return;
  float x[kChains];
#pragma unroll
  for (int k = 0; k < kChains; ++k) x[k] = args.x[first % kFmaChains + k];
  uint32_t r = 0;
  // By fours, so that the loop itself is hidden.
  for (; r + 4 <= args.params.repeats; r += 4) {
#pragma unroll
    for (int again = 0; again < 4; ++again) {
#pragma unroll
      for (int k = 0; k < kChains; ++k) x[k] = fmaf(x[k], args.half, args.one);
    }
  }
  for (; r < args.params.repeats; ++r) {
#pragma unroll
    for (int k = 0; k < kChains; ++k) x[k] = fmaf(x[k], args.half, args.one);
  }
  if (args.fours != 0) {
#pragma unroll
    for (int k = 0; k < kChains; k += 4) args.out.as<float4>(first + k) = make_float4(x[k], x[k + 1], x[k + 2], x[k + 3]);
  } else {
#pragma unroll
    for (int k = 0; k < kChains; ++k) args.out[first + k] = x[k];
  }
}

extern "C" __global__ void __launch_bounds__(256) read_blocks(const LimitArgs args) {
  const int64_t n = args.params.n, begin = static_cast<int64_t>(blockIdx.x) * args.params.block;
  const int64_t end = begin + args.params.block < n ? begin + args.params.block : n;
  const int64_t wholeEnd = args.fours != 0 ? begin + (end - begin) / 4 * 4 : begin;
  constexpr int64_t kStep = 4 * kThreads;
  float sums[16] = {};
  const auto add = [&](int k, const float4& v) {
    sums[4 * k] += v.x;
    sums[4 * k + 1] += v.y;
    sums[4 * k + 2] += v.z;
    sums[4 * k + 3] += v.w;
  };
#pragma unroll 1
  for (uint32_t r = 0; r < args.params.repeats; ++r) {
    int64_t i = begin + 4 * threadIdx.x;
    for (; i + 3 * kStep < wholeEnd; i += 4 * kStep) {
      float4 v[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) v[k] = args.x.as<float4>(i + k * kStep);
#pragma unroll
      for (int k = 0; k < 4; ++k) add(k, v[k]);
    }
    for (; i < wholeEnd; i += kStep) add(0, args.x.as<float4>(i));
    for (int64_t k = wholeEnd + threadIdx.x; k < end; k += kThreads) sums[0] += args.x[k];
  }
  float sum = 0;
#pragma unroll
  for (int k = 0; k < 16; k += 4) sum += (sums[k] + sums[k + 1]) + (sums[k + 2] + sums[k + 3]);
  sum = teamSum<kThreads>(sum);
  if (threadIdx.x == 0) args.out[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(256) triad(const LimitArgs args) {
  eachElement(
      args,
      [&](int64_t i) {
        const float4 b = args.x.as<float4>(i), c = args.y.as<float4>(i);
        args.out.as<float4>(i) = make_float4(b.x + 3 * c.x, b.y + 3 * c.y, b.z + 3 * c.z, b.w + 3 * c.w);
      },
      [&](int64_t i) { args.out[i] = args.x[i] + 3 * args.y[i]; });
}

extern "C" __global__ void __launch_bounds__(256) sgd(const LimitArgs args) {
  eachElement(
      args,
      [&](int64_t i) {
        const float4 g = args.x.as<float4>(i);
        float4 p = args.out.as<float4>(i), v = args.second.as<float4>(i), e = args.third.as<float4>(i);
        sgdStep(g.x, p.x, v.x, e.x);
        sgdStep(g.y, p.y, v.y, e.y);
        sgdStep(g.z, p.z, v.z, e.z);
        sgdStep(g.w, p.w, v.w, e.w);
        args.out.as<float4>(i) = p;
        args.second.as<float4>(i) = v;
        args.third.as<float4>(i) = e;
      },
      [&](int64_t i) { sgdStep(args.x[i], args.out[i], args.second[i], args.third[i]); });
}

extern "C" __global__ void __launch_bounds__(256) adamw(const LimitArgs args) {
  eachElement(
      args,
      [&](int64_t i) {
        const float4 g = args.x.as<float4>(i);
        float4 p = args.out.as<float4>(i), m = args.second.as<float4>(i), v = args.third.as<float4>(i), e = args.fourth.as<float4>(i);
        adamwStep(g.x, p.x, m.x, v.x, e.x);
        adamwStep(g.y, p.y, m.y, v.y, e.y);
        adamwStep(g.z, p.z, m.z, v.z, e.z);
        adamwStep(g.w, p.w, m.w, v.w, e.w);
        args.out.as<float4>(i) = p;
        args.second.as<float4>(i) = m;
        args.third.as<float4>(i) = v;
        args.fourth.as<float4>(i) = e;
      },
      [&](int64_t i) { adamwStep(args.x[i], args.out[i], args.second[i], args.third[i], args.fourth[i]); });
}

}  // namespace anneal::cuda
