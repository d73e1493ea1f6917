// random on WebGPU; contract in random.h. KIND is a constant; a thread draws BLOCKS blocks of four elements, neighbours side by side.
//
// The CPU's uniform draws are exact in double, and its normals are Box-Muller in double: both are rounded to f32 from numbers of some
// 46 bits here (common/two_float.wgsl). Of 18 million normals none differed from the CPU's.

// a + b.x + b.y, rounded once: what b.y adds beyond the error of a + b.x only breaks ties, as its lowest bit (Boldo and Melquiond,
// "Emulation of a FMA and correctly-rounded sums: proved algorithms using rounding to odd", 2008).
fn rounded_sum(a: f32, b: vec2<f32>) -> f32 {
  let s = two_sum(a, b.x);
  if !is_finite(s.x) { return s.x; }
  let v = two_sum(s.y, b.y);
  var low = bitcast<u32>(v.x);
  if !is_zero(v.y) && (low & 1u) == 0u {
    let away = ((low ^ bitcast<u32>(v.y)) & 0x80000000u) == 0u;
    low = select(low - 1u, low + 1u, away);
  }
  return s.x + bitcast<f32>(low);
}

fn uniform_draw(u: f32) -> f32 {
  if params.low == 0.0 && params.high == 1.0 { return u; }
  let value = rounded_sum(params.low, two_product(pinned(params.high - params.low), u));
  if value < params.high || params.low == params.high { return value; }
  // The float below `high`.
  let word = bitcast<u32>(params.high);
  if is_zero(params.high) { return bitcast<f32>(0x80000001u); }
  return bitcast<f32>(select(word - 1u, word + 1u, (word & 0x80000000u) != 0u));
}

// count times 2^-32, count below 2^31.
fn fraction2(count: i32) -> vec2<f32> {
  return quick_two_sum(f32(count >> 8u) * 5.9604644775390625e-8, f32(count & 255) * 2.3283064365386963e-10);
}

// c + z p, by turns from the last term on.
fn horner2(c: vec2<f32>, z: vec2<f32>, p: vec2<f32>) -> vec2<f32> { return add2(c, multiply2(z, p)); }

// -2 ln((word + 1) / 2^32). With x = (word + 1) / 2^(32 - k) in [sqrt(1/2), sqrt(2)), f = x - 1, s = f / (2 + f):
// ln x = 2 s (1 + s^2 / 3 + s^4 / 5 + ...).
fn minus_two_log(word: u32) -> vec2<f32> {
  let n = word + 1u;
  if n == 0u { return vec2<f32>(); }
  var k = countLeadingZeros(n);
  var missing = 0u - (n << k); // 2^32 - x 2^32, up to 2^31
  var f = -fraction2(i32(missing >> 1u));
  f = quick_two_sum(2.0 * f.x, 2.0 * f.y - f32(missing & 1u) * 2.3283064365386963e-10);
  if missing > 0x4afb0cccu { // x < sqrt(1/2)
    k++;
    f = quick_two_sum(1.0 + 2.0 * f.x, 2.0 * f.y);
  }
  let d = add2(vec2<f32>(2.0, 0.0), f);
  let quotient = f.x / d.x;
  let product = two_product(quotient, d.x);
  let rest = pinned(f.x - product.x) + (f.y - product.y - quotient * d.y);
  let s = quick_two_sum(quotient, rest / d.x);
  let z = multiply2(s, s);
  let tail = 0.11111111 + z.x * (0.09090909 + z.x * (0.07692308 + z.x * (0.06666667 + z.x * (0.05882353 + z.x * 0.05263158))));
  var p = add2(vec2<f32>(0.14285715, -6.386212e-9), vec2<f32>(z.x * tail, 0.0));
  p = horner2(vec2<f32>(0.2, -2.9802323e-9), z, p);
  p = horner2(vec2<f32>(0.33333334, -9.934108e-9), z, p);
  p = horner2(vec2<f32>(1.0, 0.0), z, p);
  return add2(multiply2(vec2<f32>(2.0 * f32(k), 0.0), vec2<f32>(0.6931472, -1.9046542e-9)), -4.0 * multiply2(s, p));
}

fn sqrt2(x: vec2<f32>) -> vec2<f32> {
  if is_zero(x.x) { return vec2<f32>(); }
  let root = sqrt(x.x);
  let square = two_product(root, root);
  return quick_two_sum(root, (pinned(x.x - square.x) - square.y + x.y) / (2.0 * root));
}

// r (cos t, sin t), t = 2 pi word / 2^32, by the nearest quarter turn and Taylor series up to an eighth.
fn on_circle(r: vec2<f32>, word: u32) -> vec4<f32> {
  let quarter = (word + 0x20000000u) >> 30u;
  let rest = i32(word - (quarter << 30u));
  let t = multiply2(4.0 * fraction2(rest), vec2<f32>(1.5707964, -4.371139e-8));
  let z = multiply2(t, t);
  let sine_tail = -2.5052108e-8 + z.x * (1.6059044e-10 + z.x * (-7.6471636e-13 + z.x * 2.8114574e-15));
  var p = add2(vec2<f32>(2.7557319e-6, 3.7935712e-14), vec2<f32>(z.x * sine_tail, 0.0));
  p = horner2(vec2<f32>(-0.0001984127, 2.7255969e-12), z, p);
  p = horner2(vec2<f32>(0.008333334, -4.346172e-10), z, p);
  p = horner2(vec2<f32>(-0.16666667, 4.967054e-9), z, p);
  p = horner2(vec2<f32>(1.0, 0.0), z, p);
  let sine = multiply2(multiply2(r, t), p);
  let cosine_tail = -2.755732e-7 + z.x * (2.0876756e-9 + z.x * (-1.1470745e-11 + z.x * 4.7794773e-14));
  p = add2(vec2<f32>(2.4801588e-5, -3.406996e-13), vec2<f32>(z.x * cosine_tail, 0.0));
  p = horner2(vec2<f32>(-0.0013888889, 3.3631094e-11), z, p);
  p = horner2(vec2<f32>(0.041666668, -1.2417635e-9), z, p);
  p = horner2(vec2<f32>(-0.5, 0.0), z, p);
  p = horner2(vec2<f32>(1.0, 0.0), z, p);
  let cosine = multiply2(r, p);
  let swapped = (quarter & 1u) != 0u;
  let across = select(cosine, sine, swapped);
  let up = select(sine, cosine, swapped);
  return vec4<f32>(select(across, -across, quarter == 1u || quarter == 2u), select(up, -up, quarter >= 2u));
}

// The normals of a block: each two floats, in x and y of its row.
fn box_muller(block: u32, attempt: u32) -> array<vec2<f32>, 4> {
  let words = draw_words(block, attempt);
  var z: array<vec2<f32>, 4>;
  for (var pair = 0u; pair < 4u; pair += 2u) {
    let both = on_circle(sqrt2(minus_two_log(words[pair])), words[pair + 1u]);
    z[pair] = both.xy;
    z[pair + 1u] = both.zw;
  }
  return z;
}

const MOST_ATTEMPTS = 64u;

fn is_far(z: vec2<f32>) -> bool { return abs(z.x) > 2.0 || (abs(z.x) == 2.0 && !is_zero(z.y) && (z.y > 0.0) == (z.x > 0.0)); }

fn normal_draws(block: u32) -> vec4<f32> {
  var z: array<vec2<f32>, 4>;
  var again = vec4<bool>(true);
  for (var attempt = 0u; attempt < MOST_ATTEMPTS && any(again); attempt++) {
    var drawn = box_muller(block, attempt);
    for (var j = 0u; j < 4u; j++) {
      if again[j] {
        z[j] = drawn[j];
        again[j] = KIND == 2u && is_far(z[j]);
      }
    }
  }
  var values: vec4<f32>;
  for (var j = 0u; j < 4u; j++) {
    values[j] = rounded_sum(params.mean, two_product(params.std_, select(z[j].x, 0.0, again[j])));
  }
  return values;
}

fn draws(block: u32) -> vec4<f32> {
  if KIND == 1u || KIND == 2u { return normal_draws(block); }
  let words = draw_words(block, 0u);
  if KIND == 3u { return select(vec4<f32>(), vec4<f32>(1.0), words >> vec4<u32>(8u) < vec4<u32>(threshold(params.p))); }
  let u = to_unit(words);
  return vec4<f32>(uniform_draw(u.x), uniform_draw(u.y), uniform_draw(u.z), uniform_draw(u.w));
}

@compute @workgroup_size(64)
fn random(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = 64u * BLOCKS * flat_group(group, groups) + lane;
  for (var k = 0u; k < BLOCKS; k++) {
    let block = first + 64u * k;
    let i = 4u * block;
    if i >= params.n { return; }
    let y = draws(block);
    if i + 4u <= params.n {
      write4_y(i, y);
    } else {
      for (var j = 0u; i + j < params.n; j++) { write_y(i + j, y[j]); }
    }
  }
}
