// Where the convolutions' operands lie and what becomes of their products, for the tiles of common/.
#pragma once

#include "../common/gemm_tile.cuh"
#include "conv2d.cuda.h"

namespace anneal::cuda {

// This block's tile.
struct ConvTile {
  int row, column, group;

  ANNEAL_GPU ConvTile(uint32_t columns, uint32_t tileRows, uint32_t tileColumns) {
    const uint32_t across = (columns + tileColumns - 1) / tileColumns;
    row = static_cast<int>(blockIdx.x / across * tileRows);
    column = static_cast<int>(blockIdx.x % across * tileColumns);
    group = static_cast<int>(blockIdx.y);
  }
};

// The windows of an image: o a position, k (tap, channel), channels beside each other.
struct WindowPlace {
  struct Line {
    int64_t image;  // its first element, of the group
    int top, left;
    bool there;
  };
  Span<const float> data;
  const ConvProductArgs& args;
  int channel;  // of the group's first

  ANNEAL_GPU Line line(int o) const {
    uint32_t row, column;
    const uint32_t lines = args.byLine.divide(static_cast<uint32_t>(o), column);
    const uint32_t n = args.byImage.divide(lines, row);
    return {static_cast<int64_t>(n) * args.sourceH * args.sourceW * args.sourceC + channel,
            static_cast<int>(row) * args.stepDown + args.beginDown, static_cast<int>(column) * args.stepAcross + args.beginAcross,
            o < static_cast<int>(args.rows)};
  }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    uint32_t c, q;
    const uint32_t tap = args.byDepth.divide(static_cast<uint32_t>(k), c);
    const uint32_t p = args.byTapsAcross.divide(tap, q);
    const int row = line.top + static_cast<int>(p) * args.down.hop, column = line.left + static_cast<int>(q) * args.across.hop;
    index = line.image + (static_cast<int64_t>(row) * args.sourceW + column) * args.sourceC + c;
    return line.there && row >= 0 && row < args.sourceH && column >= 0 && column < args.sourceW;
  }
};

// Weights [tap][depth][columns] of one group: o a column, columns beside each other (forward).
struct ForwardWeights {
  using Line = int;  // the element of a row; below 0: not one of the columns
  Span<const float> data;
  const ConvProductArgs& args;
  int first;  // column of the group's first

  ANNEAL_GPU Line line(int o) const { return o < static_cast<int>(args.columns) ? first + o : -1; }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    index = static_cast<int64_t>(k) * args.weightsPitch + line;  // rows of w are in the order of k
    return line >= 0;
  }
};

// Weights [tap][columns][depth]: depth beside each other (data).
struct BackwardWeights {
  using Line = int64_t;  // the first element; below 0: not one of the columns
  Span<const float> data;
  const ConvProductArgs& args;
  int first;  // element of the group's first in a row

  ANNEAL_GPU Line line(int o) const {
    return o < static_cast<int>(args.columns) ? static_cast<int64_t>(o) * args.weightsPitch + first : -1;
  }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    uint32_t c, q;
    const uint32_t tap = args.byDepth.divide(static_cast<uint32_t>(k), c);
    const uint32_t p = args.byTapsAcross.divide(tap, q);
    const int row = args.down.first + static_cast<int>(p) * args.down.step, column = args.across.first + static_cast<int>(q) * args.across.step;
    index = line + (static_cast<int64_t>(row) * args.kernelW + column) * args.weightsRows * args.weightsPitch + c;
    return line >= 0;
  }
};

// What becomes of four columns of a position.
struct ConvEnd {
  const ConvProductArgs& args;
  ProductEnd end;
  int group;

  ANNEAL_GPU ConvEnd(const ConvProductArgs& args, int group)
      : args(args),
        end{args.result, args.bias.present() ? args.bias.from(static_cast<int64_t>(group) * args.columns) : args.bias, 0, args.least, args.fours},
        group(group) {}

  ANNEAL_GPU void operator()(int row, int column, float4 v) const {
    if (row >= static_cast<int>(args.rows) || column >= static_cast<int>(args.columns)) return;
    uint32_t i, j;
    const uint32_t lines = args.byLine.divide(static_cast<uint32_t>(row), j);
    const uint32_t n = args.byImage.divide(lines, i);
    const int64_t pixel = (static_cast<int64_t>(n) * args.resultH + args.firstDown + static_cast<int64_t>(i) * args.strideDown) * args.resultW +
                          args.firstAcross + static_cast<int64_t>(j) * args.strideAcross;
    end(pixel * args.resultC + static_cast<int64_t>(group) * args.columns, column, static_cast<int>(args.columns), v);
  }
};

// The windows again: o (tap, channel), channels beside each other; k a position.
struct TurnedWindows {
  struct Line {
    int row, column, channel;  // of the tap, from a window's first pixel
    bool there;
  };
  Span<const float> data;
  const ConvWeightArgs& args;
  int channel;

  ANNEAL_GPU Line line(int o) const {
    uint32_t c, q;
    const uint32_t tap = args.byDepth.divide(static_cast<uint32_t>(o), c);
    const uint32_t p = args.byKernelW.divide(tap, q);
    return {static_cast<int>(p * args.params.dilationH) - static_cast<int>(args.params.padTop),
            static_cast<int>(q * args.params.dilationW) - static_cast<int>(args.params.padLeft), channel + static_cast<int>(c),
            o < static_cast<int>(args.rows)};
  }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    uint32_t i, j;
    const uint32_t lines = args.byLine.divide(static_cast<uint32_t>(k), j);
    const uint32_t n = args.byImage.divide(lines, i);
    const auto h = static_cast<int>(args.params.h), w = static_cast<int>(args.params.w);
    const int row = static_cast<int>(i * args.params.strideH) + line.row, column = static_cast<int>(j * args.params.strideW) + line.column;
    index = ((static_cast<int64_t>(n) * h + row) * w + column) * args.params.c + line.channel;
    return line.there && row >= 0 && row < h && column >= 0 && column < w;
  }
};

struct GradientPlace {
  using Line = int;  // the element of a row; below 0: not one of the columns
  Span<const float> data;
  const ConvWeightArgs& args;
  int first;

  ANNEAL_GPU Line line(int o) const { return o < static_cast<int>(args.columns) ? first + o : -1; }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    index = static_cast<int64_t>(k) * args.params.oc + line;
    return line >= 0;
  }
};

// A block's part of the positions, and what becomes of its sums.
struct ConvWeightPart {
  const ConvWeightArgs& args;
  TurnedWindows windows;
  GradientPlace gradient;
  ProductEnd end;
  int64_t start;
  int kBegin, kEnd;

  ANNEAL_GPU ConvWeightPart(const ConvWeightArgs& args, int group)
      : args(args),
        windows{args.x, args, group * static_cast<int>(args.params.c / args.params.groups)},
        gradient{args.dy, args, group * static_cast<int>(args.columns)},
        end{args.dw, {nullptr, 0}, args.accumulate, -INFINITY, args.fours} {
    const uint32_t part = blockIdx.z, begin = part * args.part;
    kBegin = static_cast<int>(begin);
    kEnd = static_cast<int>(args.positions - begin < args.part ? args.positions : begin + args.part);
    start = static_cast<int64_t>(part) * args.rows * args.params.oc + group * static_cast<int>(args.columns);
  }

  ANNEAL_GPU void operator()(int row, int column, float4 v) const {
    if (row < static_cast<int>(args.rows) && column < static_cast<int>(args.columns))
      end(start + static_cast<int64_t>(row) * args.params.oc, column, static_cast<int>(args.columns), v);
  }
};

}  // namespace anneal::cuda
