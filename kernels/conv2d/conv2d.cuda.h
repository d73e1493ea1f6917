// The arguments of the convolutions' kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "conv2d.h"

namespace anneal::cuda {

// Taps of a kernel along one axis: numbers first, first + step, ...; `hop` is how far the place in the source moves from one to the next.
struct TapWalk {
  int first, step, count, hop;
};

// A product of `rows` positions and `columns` channels; its k runs over taps and `depth` channels of the source.
struct ConvProductArgs {
  Span<const float> source;  // x [N,H,W,C], or dy [N,OH,OW,OC]
  Span<const float> weights;
  Span<const float> bias;
  Span<float> result;
  uint32_t rows, columns, depth, k;
  Divider byDepth, byTapsAcross;   // of k
  Divider byLine, byImage;         // of a position: columns of the result, rows
  TapWalk down, across;
  int sourceH, sourceW, sourceC;
  // Where a position's window begins in the source: position * step + begin.
  int stepDown, stepAcross, beginDown, beginAcross;
  // And where its result lies: pixel ((n * resultH + firstDown + row * strideDown) * resultW + ...).
  int resultH, resultW, resultC, firstDown, firstAcross, strideDown, strideAcross;
  int kernelW, weightsPitch, weightsRows;  // weights [taps][weightsRows][weightsPitch]
  float least;  // of the result: 0 for relu, else -Infinity
  uint32_t fours;
};

// dw: rows are (tap, channel of x), k runs over positions of dy.
struct ConvWeightArgs {
  Span<const float> x, dy;
  Span<float> dw;  // [KH,KW,C/G,OC], or [parts] of that
  uint32_t rows, columns, positions, part, parts;
  Divider byDepth, byKernelW, byLine, byImage;
  Conv2dParams params;
  uint32_t accumulate, fours;
};

// db: sums of dy over positions, a part of them each block row.
struct ConvBiasArgs {
  Span<const float> dy;
  Span<float> sums;  // [parts][OC]
  uint32_t positions, channels, part;
};

}  // namespace anneal::cuda
