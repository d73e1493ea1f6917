// Depthwise convolution on CUDA (contract: depthwise_conv2d.h).
//
// Where m is 1 and channels come by fours, a thread takes four neighbouring channels (W = 4), otherwise one; neighbouring threads have
// neighbouring channels, so that what they read lies together. K and S are the width of the kernel and the stride along rows where they
// are usual ones (taps side by side, 3 or 5 of them, strides 1 and 2), else 0.
//
// Forward: a thread makes four neighbouring positions. With K it asks for the 3 S + K pixels of a row that they need at once, and each
// pixel meets all its taps in registers: 6 loads for 12 products of a row of 3 taps. Outside of the image nothing is multiplied, so that
// a weight that is NaN does not spread. Backward-data with strides of 1 is the same kernel over dy, the taps turned around; otherwise an
// element gathers from the positions that reach it, passing over those taps that cannot. Backward-weight: a thread sums the taps of a row
// of the kernel (one tap without K) over a part of the rows of dy, four positions at a time; the parts, a number fixed by the shape, are
// added in order by a second launch. dbias is a tap more. No atomics.
//
// A 3x3 does 18 flops for the 8 bytes of an element of x and of y: memory binds where the pixels that neighbouring rows share come from
// the caches. L1 gives 128 bytes a cycle and multiprocessor; a row of a 3x3 asks it for 1.5 pixels an element, the 3 rows for 18 bytes.
#include "../common/floats.cuh"
#include "depthwise_conv2d.cuda.h"

namespace anneal::cuda {
namespace {

template <int W> ANNEAL_GPU Floats<W> loadIf(bool there, const Span<const float>& from, int64_t i) {
  return there ? from.as<Floats<W>>(i) : zeros<W>();
}
template <int W> ANNEAL_GPU void addProduct(Floats<W>& sum, const Floats<W>& a, const Floats<W>& b) {
#pragma unroll
  for (int k = 0; k < W; ++k) sum.at[k] += a.at[k] * b.at[k];
}
template <int W> ANNEAL_GPU void add(Floats<W>& sum, const Floats<W>& a) {
#pragma unroll
  for (int k = 0; k < W; ++k) sum.at[k] += a.at[k];
}

ANNEAL_GPU int64_t channelsOf(const DepthwiseConv2dParams& p) { return static_cast<int64_t>(p.c) * p.m; }

// Which taps of a column of the kernel, begin to below end, lie in the image for a window that starts at row `first`.
struct Taps {
  uint32_t begin, end;
};
ANNEAL_GPU Taps tapsOf(int64_t first, uint32_t dilation, uint32_t kernel, uint32_t size) {
  if (first >= size) return {0, 0};
  const uint64_t before = first < 0 ? (static_cast<uint64_t>(-first) + dilation - 1) / dilation : 0;
  const uint64_t until = static_cast<uint64_t>(int64_t{size} - 1 - first) / dilation + 1, all = kernel;
  return {static_cast<uint32_t>(min(before, all)), static_cast<uint32_t>(min(until, all))};
}

template <int W, int K, int S> ANNEAL_GPU void forward(const DepthwiseForwardArgs& args) {
  using Group = Floats<W>;
  const DepthwiseConv2dParams& p = args.params;
  const int64_t channels = channelsOf(p);
  const auto index = static_cast<uint64_t>(flatThread()), across = static_cast<uint64_t>(channels / W);
  const uint64_t blocks = (static_cast<uint64_t>(p.ow) + kPositions - 1) / kPositions;
  const uint64_t block = index / across, line = block / blocks, n = line / p.oh;
  if (n >= p.n) return;
  const auto k = static_cast<int64_t>(index - block * across) * W, c = W == 1 ? k / p.m : k;
  const auto ox = static_cast<int64_t>(block - line * blocks) * kPositions;
  const int64_t top = static_cast<int64_t>(line - n * p.oh) * p.strideH - args.padTop, left = ox * p.strideW - args.padLeft;
  const Taps rows = tapsOf(top, p.dilationH, p.kh, p.h);
  const auto weightAt = [&](uint32_t ky, uint32_t kx) {
    const int64_t tap = static_cast<int64_t>(ky) * p.kw + kx, last = static_cast<int64_t>(p.kh) * p.kw - 1;
    return args.w.as<Group>((args.flipped != 0 ? last - tap : tap) * channels + k);
  };
  Group sums[kPositions];
#pragma unroll
  for (int q = 0; q < kPositions; ++q) sums[q] = zeros<W>();
#pragma unroll 1
  for (uint32_t ky = rows.begin; ky < rows.end; ++ky) {
    const int64_t row = (static_cast<int64_t>(n) * p.h + top + static_cast<int64_t>(ky) * p.dilationH) * p.w;
    const auto isThere = [&](int64_t ix) { return ix >= 0 && ix < p.w; };
    const auto pixelAt = [&](int64_t ix) { return loadIf<W>(isThere(ix), args.x, (row + ix) * p.c + c); };
    if constexpr (K > 0) {
      constexpr int kPixels = (kPositions - 1) * S + K;
      Group pixels[kPixels], weights[K];
      const auto addRow = [&](const auto& has) {
#pragma unroll
        for (int kx = 0; kx < K; ++kx)
#pragma unroll
          for (int q = 0; q < kPositions; ++q)
            if (has(q * S + kx)) addProduct(sums[q], pixels[q * S + kx], weights[kx]);
      };
#pragma unroll
      for (int v = 0; v < kPixels; ++v) pixels[v] = pixelAt(left + v);
#pragma unroll
      for (int kx = 0; kx < K; ++kx) weights[kx] = weightAt(ky, kx);
      if (left >= 0 && left + kPixels <= p.w) addRow([](int) { return true; });
      else addRow([&](int v) { return isThere(left + v); });
    } else {
      for (uint32_t kx = 0; kx < p.kw; ++kx) {
        const Group weight = weightAt(ky, kx);
        const auto columnOf = [&](int q) { return left + q * static_cast<int64_t>(p.strideW) + static_cast<int64_t>(kx) * p.dilationW; };
        Group pixels[kPositions];
#pragma unroll
        for (int q = 0; q < kPositions; ++q) pixels[q] = pixelAt(columnOf(q));
#pragma unroll
        for (int q = 0; q < kPositions; ++q)
          if (isThere(columnOf(q))) addProduct(sums[q], pixels[q], weight);
      }
    }
  }
  const Group bias = loadIf<W>(args.bias.present(), args.bias, k);
#pragma unroll
  for (int q = 0; q < kPositions; ++q) {
    if (ox + q >= p.ow) break;
#pragma unroll
    for (int j = 0; j < W; ++j) sums[q].at[j] = activate(sums[q].at[j] + bias.at[j], p.activation);
    storeFloats(args.y, (static_cast<int64_t>(line) * p.ow + ox + q) * channels + k, sums[q]);
  }
}

// Which taps of a column of the kernel may reach a row: every one, or, where taps lie side by side, one in `stride`.
struct Reach {
  uint32_t begin, step;
};
ANNEAL_GPU Reach reachOf(uint64_t place, uint32_t stride, uint32_t dilation) {
  return dilation == 1 ? Reach{static_cast<uint32_t>(place % stride), stride} : Reach{0, 1};
}

template <int W> ANNEAL_GPU void backwardData(const DepthwiseDataArgs& args) {
  using Group = Floats<W>;
  const DepthwiseConv2dParams& p = args.params;
  const int64_t channels = channelsOf(p);
  const auto index = static_cast<uint64_t>(flatThread());
  const uint64_t across = p.c / W, pixel = index / across, line = pixel / p.w, n = line / p.h;
  if (n >= p.n) return;
  const auto c = static_cast<int64_t>(index - pixel * across) * W;
  const uint64_t down = line - n * p.h + p.padTop, along = pixel - line * p.w + p.padLeft;
  const Reach rows = reachOf(down, p.strideH, p.dilationH), columns = reachOf(along, p.strideW, p.dilationW);
  Group sum = zeros<W>();
  for (uint64_t ky = rows.begin; ky < p.kh && ky * p.dilationH <= down; ky += rows.step) {
    const uint64_t top = down - ky * p.dilationH, oy = top / p.strideH;
    if (oy * p.strideH != top || oy >= p.oh) continue;
    for (uint64_t kx = columns.begin; kx < p.kw && kx * p.dilationW <= along; kx += columns.step) {
      const uint64_t left = along - kx * p.dilationW, ox = left / p.strideW;
      if (ox * p.strideW != left || ox >= p.ow) continue;
      const int64_t from = static_cast<int64_t>((n * p.oh + oy) * p.ow + ox) * channels + c * p.m;
      const int64_t tap = static_cast<int64_t>(ky * p.kw + kx) * channels + c * p.m;
      for (uint32_t j = 0; j < p.m; ++j) {
        const Group dy = args.dy.as<Group>(from + j), weight = args.w.as<Group>(tap + j);
        addProduct(sum, dy, weight);
      }
    }
  }
  args.dx.as<Group>(static_cast<int64_t>(index) * W) = sum;
}

template <int W, int K, int S> ANNEAL_GPU void sumPart(const DepthwiseWeightArgs& args) {
  using Group = Floats<W>;
  constexpr int kTaps = K > 0 ? K : 1;
  const DepthwiseConv2dParams& p = args.params;
  const int64_t channels = channelsOf(p), taps = static_cast<int64_t>(p.kh) * p.kw;
  // Rows of taps: those of the kernel, or single taps; and the one of dbias.
  const auto tapRows = static_cast<uint64_t>(K > 0 ? p.kh : taps), lines = tapRows + (args.dbias.present() ? 1 : 0);
  const auto index = static_cast<uint64_t>(flatThread()), across = static_cast<uint64_t>(channels / W);
  const uint64_t line = index / across, part = line / lines, tapRow = line - part * lines;
  if (part >= static_cast<uint64_t>(args.parts)) return;
  const auto k = static_cast<int64_t>(index - line * across) * W, c = W == 1 ? k / p.m : k;
  const int64_t firstTap = static_cast<int64_t>(tapRow) * kTaps, ky = firstTap / p.kw, kx = firstTap - ky * p.kw;
  const bool isBias = tapRow == tapRows;
  const int64_t allRows = static_cast<int64_t>(p.n) * p.oh, begin = static_cast<int64_t>(part) * args.rowsEach;
  const int64_t end = min(begin + args.rowsEach, allRows);
  Group sums[kTaps];
#pragma unroll
  for (int t = 0; t < kTaps; ++t) sums[t] = zeros<W>();
#pragma unroll 1
  for (int64_t row = begin; row < end; ++row) {
    const auto n = static_cast<int64_t>(static_cast<uint64_t>(row) / p.oh);
    const int64_t iy = (row - n * p.oh) * p.strideH - p.padTop + ky * p.dilationH;
    if (!isBias && (iy < 0 || iy >= p.h)) continue;
    const int64_t image = (n * p.h + iy) * p.w;
    const auto pixelAt = [&](int64_t ix) { return loadIf<W>(ix >= 0 && ix < p.w, args.x, (image + ix) * p.c + c); };
#pragma unroll 1
    for (int64_t ox = 0; ox < p.ow; ox += kPositions) {
      Group dy[kPositions];
#pragma unroll
      for (int q = 0; q < kPositions; ++q) dy[q] = loadIf<W>(ox + q < p.ow, args.dy, (row * p.ow + ox + q) * channels + k);
      if (isBias) {
#pragma unroll
        for (int q = 0; q < kPositions; ++q) add(sums[0], dy[q]);
        continue;
      }
      const int64_t left = ox * p.strideW - p.padLeft + kx * p.dilationW;
      constexpr int kPixels = K > 0 ? (kPositions - 1) * S + K : kPositions;
      constexpr int kStep = K > 0 ? S : 1;
      Group pixels[kPixels];
#pragma unroll
      for (int v = 0; v < kPixels; ++v) pixels[v] = pixelAt(left + (K > 0 ? v : v * static_cast<int64_t>(p.strideW)));
#pragma unroll
      for (int q = 0; q < kPositions; ++q) {
        if (ox + q >= p.ow) break;
#pragma unroll
        for (int t = 0; t < kTaps; ++t) addProduct(sums[t], pixels[q * kStep + t], dy[q]);
      }
    }
  }
  const int64_t to = (static_cast<int64_t>(part) * (taps + (args.dbias.present() ? 1 : 0)) + (isBias ? taps : firstTap)) * channels + k;
#pragma unroll
  for (int t = 0; t < kTaps; ++t)
    if (t == 0 || !isBias) storeFloats(args.sums, to + t * channels, sums[t]);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128) depthwise4(const DepthwiseForwardArgs args) { forward<4, 0, 0>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise4_k3(const DepthwiseForwardArgs args) { forward<4, 3, 1>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise4_k3_s2(const DepthwiseForwardArgs args) { forward<4, 3, 2>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise4_k5(const DepthwiseForwardArgs args) { forward<4, 5, 1>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise4_k5_s2(const DepthwiseForwardArgs args) { forward<4, 5, 2>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise1(const DepthwiseForwardArgs args) { forward<1, 0, 0>(args); }

extern "C" __global__ void __launch_bounds__(128) depthwise_data4(const DepthwiseDataArgs args) { backwardData<4>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise_data1(const DepthwiseDataArgs args) { backwardData<1>(args); }

extern "C" __global__ void __launch_bounds__(128) depthwise_weight4(const DepthwiseWeightArgs args) { sumPart<4, 0, 0>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise_weight4_k3(const DepthwiseWeightArgs args) { sumPart<4, 3, 1>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise_weight4_k3_s2(const DepthwiseWeightArgs args) { sumPart<4, 3, 2>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise_weight4_k5(const DepthwiseWeightArgs args) { sumPart<4, 5, 1>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise_weight4_k5_s2(const DepthwiseWeightArgs args) { sumPart<4, 5, 2>(args); }
extern "C" __global__ void __launch_bounds__(128) depthwise_weight1(const DepthwiseWeightArgs args) { sumPart<1, 0, 0>(args); }

// 32 weights a block, kPartLanes threads each.
extern "C" __global__ void __launch_bounds__(512) depthwise_add_parts(const DepthwiseWeightArgs args) {
  using Sums = Array<float, 32 * kPartLanes>;
  ANNEAL_SHARED(Sums, sums);
  const DepthwiseConv2dParams& p = args.params;
  const int64_t weights = static_cast<int64_t>(p.kh) * p.kw * channelsOf(p), size = weights + (args.dbias.present() ? channelsOf(p) : 0);
  const int64_t index = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  float sum = 0.0f;
  if (index < size) {
#pragma unroll 4
    for (int64_t part = threadIdx.y; part < args.parts; part += kPartLanes) sum += args.sums[part * size + index];
  }
  sums[static_cast<int>(threadIdx.y * 32 + threadIdx.x)] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || index >= size) return;
  for (int lane = 1; lane < static_cast<int>(kPartLanes); ++lane) sum += sums[lane * 32 + static_cast<int>(threadIdx.x)];
  if (index < weights) args.dw[index] = sum;
  else args.dbias[index - weights] = sum;
}

}  // namespace anneal::cuda
