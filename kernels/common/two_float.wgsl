// Numbers of some 46 bits as an unevaluated sum of two floats, x + y with |y| <= ulp(x) / 2: what stands in for double, which WGSL
// does not have. Dekker, "A floating-point technique for extending the available precision", 1971.
//
// WGSL lets a compiler reassociate (and Mesa's does: (a + b) - a becomes b), and `fma` need not be fused. So a sum whose rounding
// error is wanted goes through its bits and a word that is always 0 but that no compiler knows to be: the sign bit of `params.n`,
// which counts elements of four bytes. Products are split by masking bits, which is exact.

fn pinned(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ (params.n >> 31u)); }

// a + b, exactly.
fn two_sum(a: f32, b: f32) -> vec2<f32> {
  let s = pinned(a + b);
  let t = pinned(s - a);
  return vec2<f32>(s, (a - pinned(s - t)) + (b - t));
}

// a + b, exactly, where |a| >= |b| or a = 0.
fn quick_two_sum(a: f32, b: f32) -> vec2<f32> {
  let s = pinned(a + b);
  return vec2<f32>(s, b - pinned(s - a));
}

// The upper 12 bits of x.
fn upper_half(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u); }

// a b, exactly, if nothing of it is below the smallest normal number.
fn two_product(a: f32, b: f32) -> vec2<f32> {
  let p = pinned(a * b);
  let a1 = upper_half(a);
  let b1 = upper_half(b);
  let a2 = a - a1;
  let b2 = b - b1;
  let high = pinned(a1 * b1 - p);
  let middle = pinned(pinned(high + a1 * b2) + a2 * b1);
  return vec2<f32>(p, middle + a2 * b2);
}

fn add2(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let s = two_sum(a.x, b.x);
  return quick_two_sum(s.x, s.y + (a.y + b.y));
}

fn multiply2(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let p = two_product(a.x, b.x);
  return quick_two_sum(p.x, p.y + (a.x * b.y + a.y * b.x));
}
