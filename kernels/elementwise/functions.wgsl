// The f32 functions of one and of two operands, and the i32 ones, by the codes of elementwise.h. With a constant code only one
// branch is compiled.

// The normal distribution, by its tail: functions.h.
fn gaussian_cdf(x: f32) -> f32 {
  let a = abs(x);
  let square = a * a;
  var even = -1.52935531e-08;
  var odd = 4.95832467e-07;
  even = even * square + -6.87513102e-06;
  odd = odd * square + 5.12295774e-05;
  even = even * square + -0.000187009588;
  odd = odd * square + -0.000207214616;
  even = even * square + 0.00722399307;
  odd = odd * square + -0.0526501983;
  even = even * square + -0.459142268;
  odd = odd * square + -1.15111554;
  even = even * square + -1.0;
  let tail = select(exp_f32((odd * a + even) * 0.693147181), 0.0, a > 5.66);
  return select(1.0 - tail, tail, x < 0.0);
}

fn sign_f32(x: f32) -> f32 {
  if is_nan(x) || is_zero(x) { return x; }
  return copy_sign(1.0, x);
}

// sqrt x or 1 / sqrt x; subnormals, which adapters may take for 0, by way of their integer.
fn sqrt_f32(x: f32, inverse: bool) -> f32 {
  if is_nan(x) { return x; }
  if is_zero(x) { return select(x, copy_sign(infinity(), x), inverse); }
  let word = bitcast<u32>(x);
  if (word & 0x80000000u) != 0u { return nan(); }
  if word < 0x00800000u {
    let root = sqrt(f32(word) * 2.0); // x = word 2^-149
    return select(root * 2.64697796e-23, 3.77789318e22 / root, inverse);
  }
  return select(sqrt(x), 1.0 / sqrt(x), inverse);
}

// By the parts of log2: high and low keep what a product of two floats would lose.
fn pow_f32(x: f32, y: f32) -> f32 {
  if is_zero(y) || x == 1.0 { return 1.0; }
  if is_nan(x) || is_nan(y) { return nan(); }
  let whole = abs(y) >= 16777216.0 || floor(y) == y;
  let odd = whole && abs(y) < 16777216.0 && (i32(abs(y)) & 1) == 1;
  let negative = (bitcast<u32>(x) & 0x80000000u) != 0u;
  let flip = negative && odd;
  let a = abs(x);
  if !is_finite(y) {
    if a == 1.0 { return 1.0; }
    return select(0.0, infinity(), (a > 1.0) == (y > 0.0));
  }
  if is_zero(x) || !is_finite(x) {
    let big = is_zero(x) == (y < 0.0);
    let value = select(0.0, infinity(), big);
    return select(value, -value, flip);
  }
  if negative && !whole { return nan(); }
  if whole && abs(y) <= 64.0 {
    var result = 1.0;
    var base = a;
    for (var n = u32(abs(y)); n > 0u; n >>= 1u) {
      if (n & 1u) == 1u { result *= base; }
      if n > 1u { base *= base; }
    }
    let value = select(result, 1.0 / result, y < 0.0);
    return select(value, -value, flip);
  }
  // log a = e ln 2 + log m, and y times each part, reduced apart.
  let word = bitcast<i32>(a) - 0x3f3504f3;
  let e = f32(word >> 23u);
  let m = bitcast<f32>((word & 0x007fffff) + 0x3f3504f3);
  let l = log_reduced(m - 1.0, 0.0);
  let t = y * e;
  let lost = fma(y, e, -t);
  let n = round(t + y * l * 1.44269504);
  if n > 200.0 { let big = infinity(); return select(big, -big, flip); }
  if n < -200.0 { return select(0.0, -0.0, flip); }
  // (t - n) ln 2 + lost ln 2 + y l, all small.
  let part = y * l;
  let rest = fma(y, l, -part);
  let r = (t - n) * 0.693147182 + (t - n) * -1.90465e-9 + part + (rest + lost * 0.693147182);
  let value = exp_f32(r);
  let k = i32(n);
  let half = k >> 1u;
  let scaled = value * power_of_two(clamp(half, -126, 127)) * power_of_two(clamp(k - half, -126, 127));
  return select(scaled, -scaled, flip);
}

// The quotient may be off by one: put right by the sign of what is left.
fn mod_f32(a: f32, b: f32) -> f32 {
  if is_nan(a) || is_nan(b) || !is_finite(a) || is_zero(b) { return nan(); }
  if !is_finite(b) { return select(select(b, a, (a < 0.0) == (b < 0.0)), a, is_zero(a)); }
  let d = abs(b);
  var r = abs(a);
  // By doublings of the divisor, each subtraction exact.
  if r >= d {
    var scale = i32(bitcast<u32>(r) >> 23u) - i32(bitcast<u32>(d) >> 23u);
    for (; scale >= 0; scale--) {
      let step = d * power_of_two(min(scale, 127)) * power_of_two(max(scale - 127, 0));
      if is_finite(step) && r >= step { r -= step; }
    }
  }
  r = copy_sign(r, a);
  if !is_zero(r) && (r < 0.0) != (b < 0.0) { r += b; }
  return r;
}

// By bits: adapters may take a subnormal for 0.
fn is_subnormal(x: f32) -> bool { return !is_zero(x) && (bitcast<u32>(x) & 0x7fffffffu) < 0x00800000u; }
fn is_negative(x: f32) -> bool { return (bitcast<u32>(x) & 0x80000000u) != 0u && !is_zero(x) && !is_nan(x); }
fn gelu_tanh_of(x: f32) -> f32 { return tanh_f32(0.797884561 * (x + 0.044715 * x * x * x)); }
fn truth(value: bool) -> u32 { return select(0u, 1u, value); }

// A value by the code of a unary function that gives f32.
fn unary_f32(code: u32, x: f32, alpha: f32, beta: f32) -> f32 {
  switch code {
    case 0u: { return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u); }
    case 1u: { return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu); }
    case 2u: { return sign_f32(x); }
    case 3u: { return x * x; }
    case 4u: { return sqrt_f32(x, false); }
    case 5u: { return sqrt_f32(x, true); }
    case 6u: { return select(1.0 / x, copy_sign(infinity(), x), is_zero(x)); }
    case 7u: { return exp_f32(x); }
    case 8u: { return expm1_f32(x); }
    case 9u: { return log_f32(x); }
    case 10u: { return log1p_f32(x); }
    case 11u: { return sin_f32(x); }
    case 12u: { return cos_f32(x); }
    case 13u: { return tanh_f32(x); }
    case 14u: { return sigmoid_f32(x); }
    case 15u: { return select(x, 0.0, is_negative(x)); }
    case 16u: { return select(alpha * x, x, x > 0.0); }
    case 17u: { return select(alpha * expm1_f32(x), x, x > 0.0); }
    case 18u: { return x * gaussian_cdf(x); }
    case 19u: { return 0.5 * x * (1.0 + gelu_tanh_of(x)); }
    case 20u: { return x * sigmoid_f32(x); }
    case 21u: { return softplus_f32(x); }
    case 22u: { return select(select(floor(x), -1.0, is_negative(x) && is_subnormal(x)), x, !is_finite(x)); }
    case 23u: { return select(select(ceil(x), 1.0, !is_negative(x) && is_subnormal(x)), x, !is_finite(x)); }
    case 24u: { return select(round(x), x, !is_finite(x)); }
    case 25u: {
      if is_nan(x) { return x; }
      if x < alpha { return alpha; }
      return select(x, beta, x > beta);
    }
    case 29u: { return pow_f32(x, alpha); }
    case 30u: { return alpha * x + beta; }
    default: { return erf_f32(x); }
  }
}

fn unary_i32(code: u32, x: i32, alpha: i32, beta: i32) -> i32 {
  switch code {
    case 0u: { return -x; }
    case 1u: { return abs(x); }
    case 2u: { return sign(x); }
    case 3u: { return x * x; }
    case 15u: { return max(x, 0); }
    case 25u: { if x < alpha { return alpha; } return select(x, beta, x > beta); }
    default: { return alpha * x + beta; }
  }
}

fn binary_f32(code: u32, a: f32, b: f32, alpha: f32, beta: f32) -> f32 {
  switch code {
    case 0u: { return a + b; }
    case 1u: { return a - b; }
    case 2u: { return a * b; }
    case 3u: { return a / b; }
    case 4u: { return pow_f32(a, b); }
    case 5u: { if is_nan(a) { return a; } return select(b, a, a > b); }
    case 6u: { if is_nan(a) { return a; } return select(b, a, a < b); }
    case 7u: { let d = a - b; return d * d; }
    case 8u: { return mod_f32(a, b); }
    case 18u: { return select(b, 0.0, a <= 0.0); }
    case 19u: { return b * a * (1.0 - a); }
    case 20u: { return b * (1.0 - a * a); }
    case 21u: { return b * sign_f32(a); }
    case 22u: { return select(alpha * b, b, a > 0.0); }
    case 23u: { return select(alpha * b * exp_f32(a), b, a > 0.0); }
    case 24u: { return b * (gaussian_cdf(a) + a * 0.398942280 * exp_f32(-0.5 * a * a)); }
    case 25u: {
      let t = gelu_tanh_of(a);
      let slope = 0.797884561 * (1.0 + 0.134145 * a * a);
      return b * (0.5 * (1.0 + t) + 0.5 * a * (1.0 - t * t) * slope);
    }
    case 26u: { let s = sigmoid_f32(a); return b * s * (1.0 + a * (1.0 - s)); }
    case 27u: { return b * sigmoid_f32(a); }
    default: { return select(b, 0.0, a < alpha || a > beta); }
  }
}

fn compare_f32(code: u32, a: f32, b: f32) -> bool {
  let unordered = is_nan(a) || is_nan(b);
  switch code {
    case 9u: { return !unordered && a == b; }
    case 10u: { return unordered || a != b; }
    case 11u: { return !unordered && a < b; }
    case 12u: { return !unordered && a <= b; }
    case 13u: { return !unordered && a > b; }
    case 14u: { return !unordered && a >= b; }
    case 15u: { return !is_zero(a) && !is_zero(b); }
    case 16u: { return !is_zero(a) || !is_zero(b); }
    default: { return is_zero(a) != is_zero(b); }
  }
}

// By squaring, modulo 2^32; a negative exponent truncates 1 / a^|b|.
fn pow_i32(a: i32, b: i32) -> i32 {
  if b < 0 {
    if a == 1 { return 1; }
    return select(0, select(-1, 1, (b & 1) == 0), a == -1);
  }
  var result = 1u;
  var base = u32(a);
  for (var n = u32(b); n > 0u; n >>= 1u) {
    if (n & 1u) == 1u { result *= base; }
    base *= base;
  }
  return i32(result);
}

fn div_i32(a: i32, b: i32) -> i32 {
  if b == 0 { return 0; }
  if b == -1 { return -a; }
  return a / b;
}

fn mod_i32(a: i32, b: i32) -> i32 {
  if b == 0 || b == -1 { return 0; }
  let r = a % b;
  return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}

fn binary_i32(code: u32, a: i32, b: i32) -> i32 {
  switch code {
    case 0u: { return a + b; }
    case 1u: { return a - b; }
    case 2u: { return a * b; }
    case 3u: { return div_i32(a, b); }
    case 4u: { return pow_i32(a, b); }
    case 5u: { return max(a, b); }
    case 6u: { return min(a, b); }
    case 7u: { let d = a - b; return d * d; }
    case 8u: { return mod_i32(a, b); }
    case 9u: { return i32(truth(a == b)); }
    case 10u: { return i32(truth(a != b)); }
    case 11u: { return i32(truth(a < b)); }
    case 12u: { return i32(truth(a <= b)); }
    case 13u: { return i32(truth(a > b)); }
    case 14u: { return i32(truth(a >= b)); }
    case 15u: { return i32(truth(a != 0 && b != 0)); }
    case 16u: { return i32(truth(a != 0 || b != 0)); }
    default: { return i32(truth((a != 0) != (b != 0))); }
  }
}
