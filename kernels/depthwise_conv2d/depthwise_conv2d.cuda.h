// The arguments of the depthwise convolutions' kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "depthwise_conv2d.h"

namespace anneal::cuda {

constexpr uint32_t kDepthwiseThreads = 128;
constexpr int kPositions = 4;         // neighbouring ones of a row that a thread takes at once
constexpr uint32_t kPartLanes = 16;   // threads that add the parts of one weight

// y from x. With `flipped` the last tap comes first, which makes dx from dy where strides are 1; padding may be negative then.
struct DepthwiseForwardArgs {
  Span<const float> x, w, bias;  // bias may be absent
  Span<float> y;
  DepthwiseConv2dParams params;
  int64_t padTop, padLeft;
  uint32_t flipped;
};

struct DepthwiseDataArgs {
  Span<const float> dy, w;
  Span<float> dx;
  DepthwiseConv2dParams params;
};

// Rows of dy, over all images, are cut into `parts` of `rowsEach`; each part has sums of all taps and, as a tap more, those for dbias.
struct DepthwiseWeightArgs {
  Span<const float> x, dy;
  Span<float> sums;       // [parts, taps, channels]
  Span<float> dw, dbias;  // dbias may be absent
  DepthwiseConv2dParams params;
  int64_t parts, rowsEach;
};

}  // namespace anneal::cuda
