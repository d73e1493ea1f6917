// Vector transcendental functions for the bodies of kernels (*.cpu.cpp), in single precision.
//
// Each works on all lanes without branches (except where said), keeps NaN, and is right at infinities, zeros and
// subnormal arguments. Coefficients are Chebyshev interpolants computed in extended precision. Largest errors found
// against the double-precision C library over every 401st float, AVX2+FMA and SSE2:
//
//   exp 1.1 ulp, expm1 1.7, log 0.8, log1p 1.5, tanh 2.5, sigmoid 2.2, softplus 1.9, erf 2.5
//
// Results below the smallest normal float are rounded once more (exp, sigmoid: half of the smallest subnormal).
#pragma once

#include "simd.h"

namespace anneal::ANNEAL_ISA {

typedef uint32_t vu __attribute__((vector_size(kLanes * 4)));  // for arithmetic that wraps

static inline vf absolute(vf x) { return fromBits(bits(x) & splati(0x7fffffff)); }
static inline vf copySign(vf magnitude, vf sign) {
  return fromBits((bits(magnitude) & splati(0x7fffffff)) | (bits(sign) & splati(INT32_MIN)));
}

// f on each lane; GCC turns sqrtf, floorf and the like into the vector instruction where there is one.
template <class F> static inline vf lanewise(vf x, const F& f) {
  vf y = x;
  for (int i = 0; i < kLanes; ++i) y[i] = f(x[i]);
  return y;
}

static inline vf squareRoot(vf x) {
  return lanewise(x, [](float v) { return __builtin_sqrtf(v); });
}

// 2^k for k in [-126, 127].
static inline vf powerOfTwo(vi k) { return fromBits((k + splati(127)) << splati(23)); }

// x = n ln 2 + r, |r| <= ln 2 / 2, for |x| < 2^20; n as an integer. A NaN gives n = 0 and r = NaN.
static inline vf reduceByLn2(vf x, vi& n) {
  const vf shifter = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to the nearest integer
  const vf rounded = x * splat(1.44269504f) + shifter;
  n = bits(select(x == x, rounded, shifter)) - bits(shifter);
  const vf k = rounded - shifter;
  return (x - k * splat(0.693359375f)) - k * splat(-2.12194440e-4f);  // the first product is exact
}

// (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2.
static inline vf expTail(vf r) {  // three steps after one another instead of four
  const vf square = r * r;
  const vf low = splat(0.166665763f) * r + splat(0.5f);
  const vf high = splat(0.00139262504f) * square + (splat(0.00836323295f) * r + splat(0.0416665524f));
  return high * square + low;
}

#if defined(__AVX512F__)
// Half the instructions of the one below: min and max that pass a NaN on, and a scaling that rounds, overflows and
// underflows as it should.
static inline vf exp(vf x) {
  const auto clamped = _mm512_maskz_max_ps(0xffff, static_cast<__m512>(splat(-104.0f)),
                                           _mm512_maskz_min_ps(0xffff, static_cast<__m512>(splat(89.0f)), static_cast<__m512>(x)));
  const vf v = static_cast<vf>(clamped);
  const vf n = static_cast<vf>(_mm512_maskz_roundscale_ps(0xffff, static_cast<__m512>(v * splat(1.44269504f)), 0));
  const vf r = (v - n * splat(0.693359375f)) - n * splat(-2.12194440e-4f);
  const vf y = splat(1.0f) + (r + r * r * expTail(r));
  return static_cast<vf>(_mm512_maskz_scalef_ps(0xffff, static_cast<__m512>(y), static_cast<__m512>(n)));
}
#else
static inline vf exp(vf x) {
  x = x > splat(89.0f) ? splat(89.0f) : x;      // e^89 overflows
  x = x < splat(-104.0f) ? splat(-104.0f) : x;  // e^-104 is below half of the smallest subnormal
  vi n;
  const vf r = reduceByLn2(x, n);
  const vf y = splat(1.0f) + (r + r * r * expTail(r));
  const vi half = n >> splati(1);  // two factors, so that 2^128 and subnormal results need no special case
  return y * powerOfTwo(half) * powerOfTwo(n - half);
}
#endif

// 2^t for t <= 0, e^x for x <= 0: where what counts is the error beside 1 and not beside the result, as in a sum that has an
// e^0. So one product in place of an exact reduction does: its rounding grows with |x|, but slower than e^x falls. The error
// is below 1.5e-7, e^0 = 1, e^-inf = 0, NaN stays NaN. (x > 0 has a relative error of 1.5e-7 + |x| 2^-23; no +inf.)
#if defined(__AVX512F__)
static inline vf powerOfTwoBelow1(vf t) {
  const auto clamped = _mm512_maskz_max_ps(0xffff, static_cast<__m512>(splat(-200.0f)), static_cast<__m512>(t));
  const vf n = static_cast<vf>(_mm512_maskz_roundscale_ps(0xffff, clamped, 0));
  const vf f = static_cast<vf>(clamped) - n, square = f * f;
  const vf low = splat(0.693147004f) * f + splat(1.0f), middle = splat(0.0555073358f) * f + splat(0.240222424f);
  const vf p = ((splat(0.00132647273f) * f + splat(0.00967151299f)) * square + middle) * square + low;
  return static_cast<vf>(_mm512_maskz_scalef_ps(0xffff, static_cast<__m512>(p), static_cast<__m512>(n)));
}
static inline vf expOfDifference(vf x) { return powerOfTwoBelow1(x * splat(1.44269504f)); }
#else
static inline vf powerOfTwoBelow1(vf t) { return exp(t * splat(0.693147181f)); }
static inline vf expOfDifference(vf x) { return exp(x); }
#endif

static inline vf expm1(vf x) {
  x = x > splat(89.0f) ? splat(89.0f) : x;
  const vf original = x;
  x = x < splat(-18.0f) ? splat(-18.0f) : x;
  vi n;
  const vf r = reduceByLn2(x, n);
  const vf scale = powerOfTwo(n - splati(1));
  const vf y = splat(2.0f) * (scale * (r + r * r * expTail(r)) + (scale - splat(0.5f)));
  return absolute(original) < splat(1e-9f) ? original : y;  // keeps -0 and subnormals
}

// log(2^e * (1 + f)) with 1 + f in [sqrt(1/2), sqrt(2)).
static inline vf logReduced(vf f, vf e) {
  vf p = splat(0.0697161183f);
  p = p * f + splat(-0.114797339f);
  p = p * f + splat(0.116854198f);
  p = p * f + splat(-0.124256872f);
  p = p * f + splat(0.142490581f);
  p = p * f + splat(-0.166678026f);
  p = p * f + splat(0.200007156f);
  p = p * f + splat(-0.24999997f);
  p = p * f + splat(0.333333313f);
  const vf square = f * f;
  const vf tail = p * f * square + e * splat(-2.12194440e-4f) - splat(0.5f) * square;
  return (f + tail) + e * splat(0.693359375f);
}

static inline vf log(vf x) {
  const vi subnormal = x < splat(1.17549435e-38f);
  const vf y = select(subnormal, x * splat(8388608.0f), x);
  const vu sqrtHalf = vu{} + 0x3f3504f3u;  // subtracting it puts 1 + f in [sqrt(1/2), sqrt(2))
  const vi shifted = reinterpret_cast<vi>(reinterpret_cast<vu>(y) - sqrtHalf);
  const vi exponent = shifted >> splati(23);
  const vf mantissa = fromBits((shifted & splati(0x007fffff)) + splati(0x3f3504f3));
  const vf e = __builtin_convertvector(exponent, vf) - select(subnormal, splat(23.0f), splat(0.0f));
  vf result = logReduced(mantissa - splat(1.0f), e);
  result = x == splat(__builtin_inff()) ? x : result;
  result = x == splat(0.0f) ? splat(-__builtin_inff()) : result;
  result = x < splat(0.0f) ? splat(__builtin_nanf("")) : result;
  return x == x ? result : x;
}

// log(1 + x): the logarithm of the rounded sum u, plus the part of x that the sum lost, over u.
static inline vf log1p(vf x) {
  const vf u = splat(1.0f) + x;
  const vf lost = (x - (u - splat(1.0f))) / u;
  const vf result = log(u) + lost;
  const vi special = (u == splat(0.0f)) | (u == splat(__builtin_inff()));
  const vf y = select(special, log(u), result);
  return u == splat(1.0f) ? x : y;
}

// tanh|x| = -t / (t + 2) with t = e^(-2|x|) - 1, which cannot overflow: expm1 for arguments in [-18, 0], where 2^n is normal
// and the smallest arguments come out as they are.
#if defined(__AVX512F__)
static inline vf tanh(vf x) {
  const auto least = static_cast<__m512>(splat(-18.0f));
  const vf twice = static_cast<vf>(_mm512_maskz_max_ps(0xffff, least, static_cast<__m512>(splat(-2.0f) * absolute(x))));
  const vf n = static_cast<vf>(_mm512_maskz_roundscale_ps(0xffff, static_cast<__m512>(twice * splat(1.44269504f)), 0));
  const vf r = (twice - n * splat(0.693359375f)) - n * splat(-2.12194440e-4f);
  const auto one = static_cast<__m512>(splat(1.0f));
  const vf scale = static_cast<vf>(_mm512_maskz_scalef_ps(0xffff, one, static_cast<__m512>(n)));
  const vf t = scale * (r + r * r * expTail(r)) + (scale - splat(1.0f));
  const vf y = t / (t + splat(2.0f));
  return copySign(y, x);
}
#else
static inline vf tanh(vf x) {
  const vf twice = splat(-2.0f) * absolute(x);
  vi n;
  const vf r = reduceByLn2(twice < splat(-18.0f) ? splat(-18.0f) : twice, n);
  const vf scale = powerOfTwo(n);
  const vf t = scale * (r + r * r * expTail(r)) + (scale - splat(1.0f));
  const vf y = copySign(t / (t + splat(2.0f)), x);
  return x == x ? y : x;
}
#endif

static inline vf sigmoid(vf x) {
  const vf e = exp(-absolute(x));
  return (x < splat(0.0f) ? e : splat(1.0f)) / (splat(1.0f) + e);
}

// log(1 + e^x) without overflow.
static inline vf softplus(vf x) {
  const vf positive = x < splat(0.0f) ? splat(0.0f) : x;
  return positive + log1p(exp(-absolute(x)));
}

// |x| < 1: x P(x^2); beyond: 1 - exp(Q(|x|)), Q fitted to log erfc, which is 0 in single precision from 4 on.
static inline vf erf(vf x) {
  const vf a = absolute(x);
  const vf z = x * x;
  vf p = splat(7.87587487e-05f);
  p = p * z + splat(-0.00080168643f);
  p = p * z + splat(0.00518908724f);
  p = p * z + splat(-0.0268542115f);
  p = p * z + splat(0.112835944f);
  p = p * z + splat(-0.37612626f);
  p = p * z + splat(1.12837911f);
  const vf t = (a > splat(4.0f) ? splat(4.0f) : a) - splat(1.0f);
  vf q = splat(1.6371514e-06f);
  q = q * t + splat(-3.29608301e-05f);
  q = q * t + splat(0.000320239575f);
  q = q * t + splat(-0.00205430086f);
  q = q * t + splat(0.0100778081f);
  q = q * t + splat(-0.041575741f);
  q = q * t + splat(-0.84310472f);
  q = q * t + splat(-2.63896775f);
  q = q * t + splat(-1.84960556f);
  const vf large = copySign(splat(1.0f) - exp(q), x);
  return a < splat(1.0f) ? x * p : (x == x ? large : x);
}

}  // namespace anneal::ANNEAL_ISA
