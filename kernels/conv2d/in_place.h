// Convolutions that go through an image row by row and read its windows where they lie, for shapes to which that gives
// more than the products of conv2d.cpu.cpp: few channels, and windows of which a good part lies outside of the image.
//
// Each function returns false, having done nothing, where a shape is not for it.
#pragma once

#include "../sgemm/window_product.h"
#include "conv2d.h"

namespace anneal::ANNEAL_ISA {

bool conv2dInPlace(const OpCall& call);
bool conv2dBackwardDataInPlace(const OpCall& call);
bool conv2dBackwardWeightInPlace(const OpCall& call);

namespace in_place {

static inline int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

// An axis cut into pieces of at most `most`, as equal as can be.
struct Pieces {
  int64_t count, length, longer;  // the first `longer` pieces have one more

  Pieces(int64_t size, int64_t most) : count(ceilDiv(size, most)), length(size / count), longer(size % count) {}
  int64_t begin(int64_t i) const { return i * length + least(i, longer); }
  int64_t size(int64_t i) const { return length + (i < longer ? 1 : 0); }
};

// One group, no dilation along rows.
struct RowShape {
  int64_t n, h, w, c, oh, ow, oc, kh, kw, sh, sw, dh, top, left;
  int64_t wp;    // pixels of a row that the windows cover, padding included
  int64_t run;   // floats of one row of the window, which are contiguous
  int64_t step;  // floats from one window to the next

  explicit RowShape(const Conv2dParams& p)
      : n(p.n), h(p.h), w(p.w), c(p.c), oh(p.oh), ow(p.ow), oc(p.oc), kh(p.kh), kw(p.kw), sh(p.strideH), sw(p.strideW),
        dh(p.dilationH), top(p.padTop), left(p.padLeft) {
    derive();
  }
  void derive() {
    wp = (ow - 1) * sw + kw;
    run = kw * c;
    step = sw * c;
  }
  bool padsRows() const { return left > 0 || wp > w; }
};

// A row of an image, as the windows see it: `to` gets wp pixels, zeros outside.
static inline void padRow(const RowShape& s, const float* row, float* to) {
  const int64_t before = least(s.left, s.wp), inside = least(s.w, s.wp - before);
  std::memset(to, 0, static_cast<size_t>(before * s.c) * 4);
  std::memcpy(to + before * s.c, row, static_cast<size_t>(inside * s.c) * 4);
  const int64_t after = s.wp - before - inside;
  std::memset(to + (before + inside) * s.c, 0, static_cast<size_t>(after * s.c) * 4);
}

}  // namespace in_place
}  // namespace anneal::ANNEAL_ISA
