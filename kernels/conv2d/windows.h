// Convolution as a matrix product whose A is never stored: windows of a padded image, gathered while packing.
//
// Row i of A is a position (n, a, b) of a grid, column k a place in the window. Both are offsets into the image that add
// up: A(i, k) = image[rowOffset(i) + columnOffset(k)]. Columns come in segments of equal length within which the image is
// contiguous: a row of the window when taps are neighbours, one pixel otherwise.
#pragma once

#include "../sgemm/window_product.h"
#include "conv2d.h"

namespace anneal::ANNEAL_ISA {

// An image batch [N,H,W,C] with zeros around it, or as it is when none are needed.
struct Padded {
  const float* data;
  int64_t h, w, c;
};

// Places [N,H,W,C] into zeros [N,hp,wp,C] at (top, left), cropping what falls outside. Scratch: shared slot 2.
static inline Padded padImages(Exec& exec, const float* x, int64_t n, int64_t h, int64_t w, int64_t c, int64_t top,
                               int64_t left, int64_t hp, int64_t wp) {
  if (top == 0 && left == 0 && hp <= h && wp <= w) return {x, h, w, c};
  auto* const to = static_cast<float*>(exec.scratch(Exec::kShared, 2, static_cast<size_t>(n * hp * wp * c) * 4));
  const int64_t inside = least(w, wp - left) > 0 ? least(w, wp - left) : 0;
  parallelRange(exec, n * hp, 1 + 65536 / (wp * c + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t i = row % hp - top;
      float* const out = to + row * wp * c;
      if (i < 0 || i >= h || inside == 0) {
        std::memset(out, 0, static_cast<size_t>(wp * c) * 4);
        continue;
      }
      std::memset(out, 0, static_cast<size_t>(left * c) * 4);
      std::memcpy(out + left * c, x + ((row / hp * h + i) * w) * c, static_cast<size_t>(inside * c) * 4);
      std::memset(out + (left + inside) * c, 0, static_cast<size_t>((wp - left - inside) * c) * 4);
    }
  });
  return {to, hp, wp, c};
}

struct Shape {
  int64_t n, h, w, c, oh, ow, oc, kh, kw, sh, sw, dh, dw, top, left, groups;
  int64_t cg, og;  // channels of a group
  int64_t hp, wp;  // what the windows cover

  explicit Shape(const Conv2dParams& p)
      : n(p.n), h(p.h), w(p.w), c(p.c), oh(p.oh), ow(p.ow), oc(p.oc), kh(p.kh), kw(p.kw), sh(p.strideH), sw(p.strideW),
        dh(p.dilationH), dw(p.dilationW), top(p.padTop), left(p.padLeft), groups(p.groups), cg(c / groups),
        og(oc / groups), hp((oh - 1) * sh + dh * (kh - 1) + 1), wp((ow - 1) * sw + dw * (kw - 1) + 1) {}

  int64_t positions() const { return n * oh * ow; }
};

// The windows of the forward pass over the padded image, for positions of the output.
struct ForwardWindows {
  Padded image;
  Grid grid;
  Segments segments;
  int64_t segmentCount;
  const float* end;  // of the image
};

static inline ForwardWindows forwardWindows(Exec& exec, const Shape& s, const float* x) {
  const Padded image = padImages(exec, x, s.n, s.h, s.w, s.c, s.top, s.left, s.hp, s.wp);
  const bool whole = s.groups == 1 && s.dw == 1;  // taps of a row of the window are neighbours
  const int64_t count = whole ? s.kh : s.kh * s.kw;
  auto* const offsets = static_cast<int64_t*>(exec.scratch(Exec::kShared, 3, static_cast<size_t>(count) * 8));
  for (int64_t p = 0, i = 0; p < s.kh; ++p) {
    if (whole) {
      offsets[i++] = p * s.dh * image.w * s.c;
      continue;
    }
    for (int64_t q = 0; q < s.kw; ++q) offsets[i++] = (p * s.dh * image.w + q * s.dw) * s.c;
  }
  return {image,
          {s.oh, s.ow, image.h * image.w * s.c, s.sh * image.w * s.c, s.sw * s.c},
          {offsets, whole ? s.kw * s.c : s.cg},
          count,
          image.data + s.n * image.h * image.w * s.c};
}

// Rows of A are positions, depth runs over the window: forward and backward-data.
struct WindowPacker {
  const float* image;
  Grid grid;
  Segments segments;

  bool byRuns() const { return false; }
  void operator()(int64_t first, int count, int64_t k0, int64_t depth, float* to) const {
    int64_t offsets[kTileRows];
    offsets[0] = grid.offset(first);
    int64_t b = first % grid.columns;
    bool neighbours = grid.columnStep == 1;
    for (int i = 1; i < count; ++i) {
      if (++b == grid.columns) {
        b = 0;
        offsets[i] = grid.offset(first + i);
        neighbours = false;
      } else {
        offsets[i] = offsets[i - 1] + grid.columnStep;
      }
    }
    for (int64_t k = k0; k < k0 + depth;) {
      const int64_t s = k / segments.length, within = k % segments.length;
      const int64_t run = least(segments.length - within, k0 + depth - k);
      const float* const base = image + segments.offsets[s] + within;
      float* const out = to + (k - k0) * kTileRows;
      if (neighbours) {
        packRuns<kTileRows>(base + offsets[0], 1, count, run, out);  // one channel: the next row is the next pixel
      } else {
        const float* rows[kTileRows];
        for (int i = 0; i < kTileRows; ++i) rows[i] = base + offsets[i < count ? i : 0];
        packRows<kTileRows>(rows, run, out);
      }
      k += run;
    }
  }
};

// Columns of B are input channels, depth runs over (tap, output channel of the group): backward-data reads the weights
// [KH,KW,C/G,OC] transposed.
struct TransposedWeightPacker {
  const float* weights;     // at the group's first output channel
  const int64_t* taps;      // kh * KW + kw of each tap
  int64_t inputs, outputs;  // channels in a group
  int64_t ld;               // OC

  bool byRuns() const { return false; }
  void operator()(int64_t first, int count, int64_t k0, int64_t depth, float* to) const {
    for (int64_t k = k0; k < k0 + depth;) {
      const int64_t tap = taps[k / outputs], o = k % outputs;
      const int64_t run = least(outputs - o, k0 + depth - k);
      const float* rows[kTileColumns];
      for (int i = 0; i < kTileColumns; ++i) rows[i] = weights + (tap * inputs + first + (i < count ? i : 0)) * ld + o;
      packRows<kTileColumns>(rows, run, to + (k - k0) * kTileColumns);
      k += run;
    }
  }
};

}  // namespace anneal::ANNEAL_ISA
