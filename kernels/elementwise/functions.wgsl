// The functions of one and of two operands, f32 and i32, by the names of elementwise.h. Each is a function of its own, so that a shader
// compiles only what it calls: with a switch, SwiftShader took a second for each.

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

fn unary_neg(x: f32, alpha: f32, beta: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u); }
fn unary_abs(x: f32, alpha: f32, beta: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu); }
fn unary_sign(x: f32, alpha: f32, beta: f32) -> f32 { return sign_f32(x); }
fn unary_square(x: f32, alpha: f32, beta: f32) -> f32 { return x * x; }
fn unary_sqrt(x: f32, alpha: f32, beta: f32) -> f32 { return sqrt_f32(x, false); }
fn unary_rsqrt(x: f32, alpha: f32, beta: f32) -> f32 { return sqrt_f32(x, true); }
fn unary_reciprocal(x: f32, alpha: f32, beta: f32) -> f32 { return select(1.0 / x, copy_sign(infinity(), x), is_zero(x)); }
fn unary_exp(x: f32, alpha: f32, beta: f32) -> f32 { return exp_f32(x); }
fn unary_expm1(x: f32, alpha: f32, beta: f32) -> f32 { return expm1_f32(x); }
fn unary_log(x: f32, alpha: f32, beta: f32) -> f32 { return log_f32(x); }
fn unary_log1p(x: f32, alpha: f32, beta: f32) -> f32 { return log1p_f32(x); }
fn unary_sin(x: f32, alpha: f32, beta: f32) -> f32 { return sin_f32(x); }
fn unary_cos(x: f32, alpha: f32, beta: f32) -> f32 { return cos_f32(x); }
fn unary_tanh(x: f32, alpha: f32, beta: f32) -> f32 { return tanh_f32(x); }
fn unary_sigmoid(x: f32, alpha: f32, beta: f32) -> f32 { return sigmoid_f32(x); }
fn unary_relu(x: f32, alpha: f32, beta: f32) -> f32 { return select(x, 0.0, is_negative(x)); }
fn unary_leaky_relu(x: f32, alpha: f32, beta: f32) -> f32 { return select(alpha * x, x, x > 0.0); }
fn unary_elu(x: f32, alpha: f32, beta: f32) -> f32 { return select(alpha * expm1_f32(x), x, x > 0.0); }
fn unary_gelu(x: f32, alpha: f32, beta: f32) -> f32 { return x * gaussian_cdf(x); }
fn unary_gelu_tanh(x: f32, alpha: f32, beta: f32) -> f32 { return 0.5 * x * (1.0 + gelu_tanh_of(x)); }
fn unary_silu(x: f32, alpha: f32, beta: f32) -> f32 { return x * sigmoid_f32(x); }
fn unary_softplus(x: f32, alpha: f32, beta: f32) -> f32 { return softplus_f32(x); }
fn unary_floor(x: f32, alpha: f32, beta: f32) -> f32 { return select(select(floor(x), -1.0, is_negative(x) && is_subnormal(x)), x, !is_finite(x)); }
fn unary_ceil(x: f32, alpha: f32, beta: f32) -> f32 { return select(select(ceil(x), 1.0, !is_negative(x) && is_subnormal(x)), x, !is_finite(x)); }
fn unary_round(x: f32, alpha: f32, beta: f32) -> f32 { return select(round(x), x, !is_finite(x)); }
fn unary_clip(x: f32, alpha: f32, beta: f32) -> f32 {
  if is_nan(x) { return x; }
  if x < alpha { return alpha; }
  return select(x, beta, x > beta);
}
fn unary_pow_scalar(x: f32, alpha: f32, beta: f32) -> f32 { return pow_f32(x, alpha); }
fn unary_affine(x: f32, alpha: f32, beta: f32) -> f32 { return alpha * x + beta; }
fn unary_erf(x: f32, alpha: f32, beta: f32) -> f32 { return erf_f32(x); }

fn int_unary_neg(x: i32, alpha: i32, beta: i32) -> i32 { return -x; }
fn int_unary_abs(x: i32, alpha: i32, beta: i32) -> i32 { return abs(x); }
fn int_unary_sign(x: i32, alpha: i32, beta: i32) -> i32 { return sign(x); }
fn int_unary_square(x: i32, alpha: i32, beta: i32) -> i32 { return x * x; }
fn int_unary_relu(x: i32, alpha: i32, beta: i32) -> i32 { return max(x, 0); }
fn int_unary_clip(x: i32, alpha: i32, beta: i32) -> i32 { if x < alpha { return alpha; } return select(x, beta, x > beta); }
fn int_unary_affine(x: i32, alpha: i32, beta: i32) -> i32 { return alpha * x + beta; }

fn binary_add(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return a + b; }
fn binary_sub(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return a - b; }
fn binary_mul(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return a * b; }
fn binary_div(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return a / b; }
fn binary_pow(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return pow_f32(a, b); }
fn binary_maximum(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { if is_nan(a) { return a; } return select(b, a, a > b); }
fn binary_minimum(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { if is_nan(a) { return a; } return select(b, a, a < b); }
fn binary_squared_difference(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { let d = a - b; return d * d; }
fn binary_mod(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return mod_f32(a, b); }
fn binary_relu_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return select(b, 0.0, a <= 0.0); }
fn binary_sigmoid_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return b * a * (1.0 - a); }
fn binary_tanh_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return b * (1.0 - a * a); }
fn binary_abs_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return b * sign_f32(a); }
fn binary_leaky_relu_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return select(alpha * b, b, a > 0.0); }
fn binary_elu_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return select(alpha * b * exp_f32(a), b, a > 0.0); }
fn binary_gelu_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return b * (gaussian_cdf(a) + a * 0.398942280 * exp_f32(-0.5 * a * a)); }
fn binary_gelu_tanh_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 {
  let t = gelu_tanh_of(a);
  let slope = 0.797884561 * (1.0 + 0.134145 * a * a);
  return b * (0.5 * (1.0 + t) + 0.5 * a * (1.0 - t * t) * slope);
}
fn binary_silu_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { let s = sigmoid_f32(a); return b * s * (1.0 + a * (1.0 - s)); }
fn binary_softplus_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return b * sigmoid_f32(a); }
fn binary_clip_grad(a: f32, b: f32, alpha: f32, beta: f32) -> f32 { return select(b, 0.0, a < alpha || a > beta); }

fn unordered(a: f32, b: f32) -> bool { return is_nan(a) || is_nan(b); }
fn compare_equal(a: f32, b: f32) -> bool { return !unordered(a, b) && a == b; }
fn compare_not_equal(a: f32, b: f32) -> bool { return unordered(a, b) || a != b; }
fn compare_less(a: f32, b: f32) -> bool { return !unordered(a, b) && a < b; }
fn compare_less_equal(a: f32, b: f32) -> bool { return !unordered(a, b) && a <= b; }
fn compare_greater(a: f32, b: f32) -> bool { return !unordered(a, b) && a > b; }
fn compare_greater_equal(a: f32, b: f32) -> bool { return !unordered(a, b) && a >= b; }
fn compare_logical_and(a: f32, b: f32) -> bool { return !is_zero(a) && !is_zero(b); }
fn compare_logical_or(a: f32, b: f32) -> bool { return !is_zero(a) || !is_zero(b); }
fn compare_logical_xor(a: f32, b: f32) -> bool { return is_zero(a) != is_zero(b); }

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

fn int_binary_add(a: i32, b: i32) -> i32 { return a + b; }
fn int_binary_sub(a: i32, b: i32) -> i32 { return a - b; }
fn int_binary_mul(a: i32, b: i32) -> i32 { return a * b; }
fn int_binary_div(a: i32, b: i32) -> i32 { return div_i32(a, b); }
fn int_binary_pow(a: i32, b: i32) -> i32 { return pow_i32(a, b); }
fn int_binary_maximum(a: i32, b: i32) -> i32 { return max(a, b); }
fn int_binary_minimum(a: i32, b: i32) -> i32 { return min(a, b); }
fn int_binary_squared_difference(a: i32, b: i32) -> i32 { let d = a - b; return d * d; }
fn int_binary_mod(a: i32, b: i32) -> i32 { return mod_i32(a, b); }
fn int_binary_equal(a: i32, b: i32) -> i32 { return i32(truth(a == b)); }
fn int_binary_not_equal(a: i32, b: i32) -> i32 { return i32(truth(a != b)); }
fn int_binary_less(a: i32, b: i32) -> i32 { return i32(truth(a < b)); }
fn int_binary_less_equal(a: i32, b: i32) -> i32 { return i32(truth(a <= b)); }
fn int_binary_greater(a: i32, b: i32) -> i32 { return i32(truth(a > b)); }
fn int_binary_greater_equal(a: i32, b: i32) -> i32 { return i32(truth(a >= b)); }
fn int_binary_logical_and(a: i32, b: i32) -> i32 { return i32(truth(a != 0 && b != 0)); }
fn int_binary_logical_or(a: i32, b: i32) -> i32 { return i32(truth(a != 0 || b != 0)); }
fn int_binary_logical_xor(a: i32, b: i32) -> i32 { return i32(truth((a != 0) != (b != 0))); }
