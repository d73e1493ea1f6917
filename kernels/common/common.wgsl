// What every room's WGSL text may use. Functions read_x, read4_x, write_x, write4_x and has_x of the operands are written in front
// of it, as is `params`, the op's parameter struct (src/backend/webgpu/shader.ts).
//
// Builtin functions are allowed errors that a training run would notice (exp, tanh, sin: WGSL 15.7.4), and comparisons may assume
// that there is no NaN: what matters is computed here, from the same approximations as kernels/common/math.h.

const INFINITY_BITS = 0x7f800000u;

// In memory, since an expression of constants that is not finite is an error in WGSL.
var<private> infinity_word: u32 = 0x7f800000u;
var<private> nan_word: u32 = 0x7fc00000u;
fn infinity() -> f32 { return bitcast<f32>(infinity_word); }
fn nan() -> f32 { return bitcast<f32>(nan_word); }

fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > INFINITY_BITS; }
fn is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
fn is_zero(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0u; }

fn flat_group(id: vec3<u32>, count: vec3<u32>) -> u32 { return id.y * count.x + id.x; }

// NaN wins; of zeros, the one given first.
fn larger(a: f32, b: f32) -> f32 {
  if is_nan(a) { return a; }
  if is_nan(b) { return b; }
  return select(a, b, b > a);
}
fn smaller(a: f32, b: f32) -> f32 {
  if is_nan(a) { return a; }
  if is_nan(b) { return b; }
  return select(a, b, b < a);
}

fn power_of_two(k: i32) -> f32 { return bitcast<f32>(u32(k + 127) << 23u); }
fn copy_sign(magnitude: f32, sign: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(magnitude) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}

// (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2.
fn exp_tail(r: f32) -> f32 {
  let square = r * r;
  let low = 0.166665763 * r + 0.5;
  let high = 0.00139262504 * square + (0.00836323295 * r + 0.0416665524);
  return high * square + low;
}

fn reduce_by_ln2(x: f32, n: f32) -> f32 { return (x - n * 0.693359375) - n * -2.12194440e-4; }

fn exp_f32(x: f32) -> f32 {
  if is_nan(x) { return x; }
  let v = clamp(x, -104.0, 89.0);
  let n = round(v * 1.44269504);
  let r = reduce_by_ln2(v, n);
  let y = 1.0 + (r + r * r * exp_tail(r));
  let k = i32(n);
  let half = k >> 1u;
  return y * power_of_two(half) * power_of_two(k - half);
}

fn expm1_f32(x: f32) -> f32 {
  if is_nan(x) || abs(x) < 1e-9 { return x; }
  let v = clamp(x, -18.0, 89.0);
  let n = round(v * 1.44269504);
  let r = reduce_by_ln2(v, n);
  let scale = power_of_two(i32(n) - 1);
  return 2.0 * (scale * (r + r * r * exp_tail(r)) + (scale - 0.5));
}

// log(2^e (1 + f)) with 1 + f in [sqrt(1/2), sqrt(2)).
fn log_reduced(f: f32, e: f32) -> f32 {
  var p = 0.0697161183;
  p = p * f + -0.114797339;
  p = p * f + 0.116854198;
  p = p * f + -0.124256872;
  p = p * f + 0.142490581;
  p = p * f + -0.166678026;
  p = p * f + 0.200007156;
  p = p * f + -0.24999997;
  p = p * f + 0.333333313;
  let square = f * f;
  let tail = p * f * square + e * -2.12194440e-4 - 0.5 * square;
  return (f + tail) + e * 0.693359375;
}

fn log_f32(x: f32) -> f32 {
  if is_nan(x) { return x; }
  let word = bitcast<u32>(x);
  if is_zero(x) { return -infinity(); }
  if (word & 0x80000000u) != 0u { return nan(); }
  if word == INFINITY_BITS { return x; }
  var scaled = word;
  var shift = 0.0;
  if word < 0x00800000u { // subnormal: m 2^-149
    scaled = bitcast<u32>(f32(word));
    shift = 149.0;
  }
  let shifted = bitcast<i32>(scaled - 0x3f3504f3u);
  let mantissa = bitcast<f32>(u32(shifted & 0x007fffff) + 0x3f3504f3u);
  return log_reduced(mantissa - 1.0, f32(shifted >> 23u) - shift);
}

// The logarithm of the rounded sum u, plus the part of x that the sum lost, over u.
fn log1p_f32(x: f32) -> f32 {
  if is_nan(x) { return x; }
  let u = 1.0 + x;
  if u == 1.0 { return x; }
  if !is_finite(u) || is_zero(u) { return log_f32(u); }
  return log_f32(u) + (x - (u - 1.0)) / u;
}

fn tanh_f32(x: f32) -> f32 {
  if is_nan(x) { return x; }
  let twice = max(-2.0 * abs(x), -18.0);
  let n = round(twice * 1.44269504);
  let r = reduce_by_ln2(twice, n);
  let scale = power_of_two(i32(n));
  let t = scale * (r + r * r * exp_tail(r)) + (scale - 1.0);
  return copy_sign(t / (t + 2.0), x);
}

fn sigmoid_f32(x: f32) -> f32 {
  if is_nan(x) { return x; }
  let e = exp_f32(-abs(x));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}

fn softplus_f32(x: f32) -> f32 {
  if is_nan(x) { return x; }
  return max(x, 0.0) + log1p_f32(exp_f32(-abs(x)));
}

fn erf_f32(x: f32) -> f32 {
  if is_nan(x) { return x; }
  let a = abs(x);
  if a < 1.0 {
    let z = x * x;
    var p = 7.87587487e-05;
    p = p * z + -0.00080168643;
    p = p * z + 0.00518908724;
    p = p * z + -0.0268542115;
    p = p * z + 0.112835944;
    p = p * z + -0.37612626;
    p = p * z + 1.12837911;
    return x * p;
  }
  let t = min(a, 4.0) - 1.0;
  var q = 1.6371514e-06;
  q = q * t + -3.29608301e-05;
  q = q * t + 0.000320239575;
  q = q * t + -0.00205430086;
  q = q * t + 0.0100778081;
  q = q * t + -0.041575741;
  q = q * t + -0.84310472;
  q = q * t + -2.63896775;
  q = q * t + -1.84960556;
  return copy_sign(1.0 - exp_f32(q), x);
}

// sin and cos by reduction to [-pi/4, pi/4] in four parts of pi/2 (Cody and Waite), good to some thousand turns.
fn sin_cos_reduced(x: f32, quarters: i32) -> f32 {
  let n = round(x * 0.636619772);
  var r = x - n * 1.5703125;
  r = r - n * 4.8351288e-4;
  r = r - n * 3.1385571e-7;
  r = r - n * 6.0771006e-11;
  let z = r * r;
  let q = (i32(n) + quarters) & 3;
  var y: f32;
  if (q & 1) == 0 {
    y = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 + z * -1.9515295891e-4));
  } else {
    y = 1.0 - 0.5 * z + z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));
  }
  return select(y, -y, (q & 2) != 0);
}
fn sin_f32(x: f32) -> f32 {
  if !is_finite(x) { return nan(); }
  if abs(x) < 1e-4 { return x; }
  return sin_cos_reduced(x, 0);
}
fn cos_f32(x: f32) -> f32 {
  if !is_finite(x) { return nan(); }
  return sin_cos_reduced(x, 1);
}

// Activations of epilogues, by the codes of kernels/common/activation.h.
fn activate(x: f32, code: u32) -> f32 {
  switch code {
    case 1u: { return select(x, 0.0, x < 0.0); }
    case 2u: { return sigmoid_f32(x); }
    case 3u: { return tanh_f32(x); }
    default: { return x; }
  }
}
