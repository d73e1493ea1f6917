// Lane-wise functions, and how a loop is made of one.
#pragma once

#include "../common/math.h"
#include "../common/stream.h"
#include "loops.h"

namespace anneal::ANNEAL_ISA {

template <class V> struct Lanes;
template <> struct Lanes<vf> {
  static inline vf from(vi v) { return fromBits(v); }
};
template <> struct Lanes<vi> {
  static inline vi from(vi v) { return v; }
};
static inline vi raw(vf v) { return bits(v); }
static inline vi raw(vi v) { return v; }

static inline vi loadItems(const int32_t* p, int64_t n) {
  alignas(64) int32_t lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = 1;  // a harmless divisor
  std::memcpy(lanes, p, static_cast<size_t>(n) * 4);
  return loadi(lanes);
}
static inline void storeItems(int32_t* p, vi v, int64_t n) {
  alignas(64) int32_t lanes[kLanes];
  storei(lanes, v);
  std::memcpy(p, lanes, static_cast<size_t>(n) * 4);
}

// out[i...] = each(i) for the whole vectors of n items; the rest goes by way of a padded copy.
template <class F> static inline void wholeVectors(const Scalars& s, int32_t* out, int64_t n, const F& each) {
  withStores(s.streams && onBoundary(out), [&](auto stores) {
    auto* to = reinterpret_cast<float*>(out);
    for (int64_t i = 0; i + kLanes <= n; i += kLanes) stores.put(to + i, fromBits(each(i)));
  });
}

template <class V, class Op> static inline UnaryLoop unaryLoop(Op) {
  return [](const Scalars& s, const int32_t* x, int32_t* out, int64_t n) {
    const Op op{};
    wholeVectors(s, out, n, [=](int64_t i) { return raw(op(Lanes<V>::from(loadi(x + i)), s)); });
    const int64_t rest = n % kLanes, i = n - rest;
    if (rest != 0) storeItems(out + i, raw(op(Lanes<V>::from(loadItems(x + i, rest)), s)), rest);
  };
}

template <class V, class Op> static inline BinaryLoop binaryLoop(Op) {
  return [](const Scalars& s, const int32_t* const* in, const int* steps, int32_t* out, int64_t n) {
    const Op op{};
    const int32_t* a = in[0];
    const int32_t* b = in[1];
    if (steps[0] != 0 && steps[1] != 0) {
      wholeVectors(s, out, n,
                   [=](int64_t i) { return raw(op(Lanes<V>::from(loadi(a + i)), Lanes<V>::from(loadi(b + i)), s)); });
    } else if (steps[0] != 0) {
      const V right = Lanes<V>::from(splati(b[0]));
      wholeVectors(s, out, n, [=](int64_t i) { return raw(op(Lanes<V>::from(loadi(a + i)), right, s)); });
    } else {
      const V left = Lanes<V>::from(splati(a[0]));
      const int64_t step = steps[1];
      wholeVectors(s, out, n, [=](int64_t i) {
        return raw(op(left, Lanes<V>::from(step != 0 ? loadi(b + i) : splati(b[0])), s));
      });
    }
    const int64_t rest = n % kLanes, i = n - rest;
    if (rest != 0) {
      const vi left = steps[0] != 0 ? loadItems(a + i, rest) : splati(a[0]);
      const vi right = steps[1] != 0 ? loadItems(b + i, rest) : splati(b[0]);
      storeItems(out + i, raw(op(Lanes<V>::from(left), Lanes<V>::from(right), s)), rest);
    }
  };
}

static inline vi truth(vi mask) { return mask & splati(1); }
static inline vf zero() { return vf{}; }
static inline vf one() { return splat(1.0f); }
static inline vi wrapping(vu v) { return reinterpret_cast<vi>(v); }
static inline vu modular(vi v) { return reinterpret_cast<vu>(v); }

template <class F> static inline vi lanewise(vi a, vi b, const F& f) {
  vi y = a;
  for (int i = 0; i < kLanes; ++i) y[i] = f(a[i], b[i]);
  return y;
}
template <class F> static inline vf lanewise(vf a, vf b, const F& f) {
  vf y = a;
  for (int i = 0; i < kLanes; ++i) y[i] = f(a[i], b[i]);
  return y;
}

static inline vf sign(vf x) { return x > zero() ? one() : (x < zero() ? -one() : x); }

// The normal distribution, by its tail: log2 P(X < -a) fitted on [0, 5.66]; 0 beyond. Largest errors found, AVX-512, over
// every 401st float: 9 ulp on [-1, 0], 49 at the far end, where erf would cancel; gelu is off by a third
// of 2e-7 + 1e-6 |gelu|. Even and odd powers apart, so that fewer steps wait for one another.
static inline vf gaussianCdf(vf x) {
  const vf a = absolute(x), square = a * a;
  vf even = splat(-1.52935531e-08f);
  vf odd = splat(4.95832467e-07f);
  even = even * square + splat(-6.87513102e-06f);
  odd = odd * square + splat(5.12295774e-05f);
  even = even * square + splat(-0.000187009588f);
  odd = odd * square + splat(-0.000207214616f);
  even = even * square + splat(0.00722399307f);
  odd = odd * square + splat(-0.0526501983f);
  even = even * square + splat(-0.459142268f);
  odd = odd * square + splat(-1.15111554f);
  even = even * square + splat(-1.0f);
  const vf tail = a > splat(5.66f) ? splat(0.0f) : powerOfTwoBelow1(odd * a + even);
  return x < splat(0.0f) ? tail : splat(1.0f) - tail;
}
static inline vf geluTanhOf(vf x) { return tanh(splat(0.797884561f) * (x + splat(0.044715f) * x * x * x)); }

static inline vf geluGrad(vf x, vf dy) {
  return dy * (gaussianCdf(x) + x * splat(0.398942280f) * powerOfTwoBelow1(splat(-0.721347520f) * x * x));
}

static inline vf geluTanhGrad(vf x, vf dy) {
  const vf t = geluTanhOf(x);
  const vf slope = splat(0.797884561f) * (one() + splat(0.134145f) * x * x);
  return dy * (splat(0.5f) * (one() + t) + splat(0.5f) * x * (one() - t * t) * slope);
}

static inline vf siluGrad(vf x, vf dy) {
  const vf s = sigmoid(x);
  return dy * s * (one() + x * (one() - s));
}

static inline float modulo(float a, float b) {
  const float r = __builtin_fmodf(a, b);
  return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}

static inline int32_t divide(int32_t a, int32_t b) {
  if (b == 0) return 0;
  return b == -1 ? static_cast<int32_t>(0u - static_cast<uint32_t>(a)) : a / b;
}

static inline int32_t modulo(int32_t a, int32_t b) {
  if (b == 0 || b == -1) return 0;
  const int32_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// By squaring, modulo 2^32; a negative exponent truncates 1 / a^|b|.
static inline int32_t power(int32_t a, int32_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
  uint32_t result = 1, base = static_cast<uint32_t>(a);
  for (; b > 0; b /= 2, base *= base)
    if (b % 2 == 1) result *= base;
  return static_cast<int32_t>(result);
}

}  // namespace anneal::ANNEAL_ISA
