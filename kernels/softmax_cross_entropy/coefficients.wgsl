// What both ops of softmax_cross_entropy share on WebGPU; contract in softmax_cross_entropy.h. DENSE and SMOOTH (labelSmoothing > 0) are
// constants; the target is read as words. rows.wgsl says who takes which items of a row.
//
// A target that is no class cannot be refused here, where nobody would hear of it: the row's loss and gradient are NaN.

const NO_CLASS = 0xffffffffu;

// The class of a row; NO_CLASS for dense targets.
fn class_of(row: u32) -> u32 {
  if DENSE { return NO_CLASS; }
  return read_target(row);
}
fn is_ignored(hit: u32) -> bool { return !DENSE && bitcast<i32>(hit) == params.ignoreIndex; }
fn is_wrong(hit: u32) -> bool { return !DENSE && hit >= params.classes; }

fn class_weight(c: u32) -> f32 {
  if has_classWeights { return read_classWeights(c); }
  return 1.0;
}

// The coefficient of -log p_c in the loss of a row.
fn coefficient(row: u32, hit: u32, c: u32) -> f32 {
  var target_share = 0.0;
  if DENSE { target_share = bitcast<f32>(read_target(row * params.classes + c)); } else { target_share = select(0.0, 1.0, c == hit); }
  if SMOOTH { target_share = (1.0 - params.labelSmoothing) * target_share + params.labelSmoothing / f32(params.classes); }
  return class_weight(c) * target_share;
}

// Items past the end of the row are `fill`.
fn load_logits(row: u32, c: u32, fill: f32) -> vec4<f32> {
  let at = row * params.classes + c;
  if c + 4u <= params.classes { return read4_logits(at); }
  var v = vec4<f32>(fill);
  for (var i = 0u; c + i < params.classes; i++) { v[i] = read_logits(at + i); }
  return v;
}

// The sum of the coefficients, as far as these items go; what is not of single classes comes from the first thread. The class that was
// hit stays apart from the many small shares of the others, which would each be rounded beside it. Weights are all added, with 0
// where they do not count, so that a NaN among them shows as it does on the CPU.
fn sum_of_coefficients(row: u32, hit: u32, first: u32, step: u32) -> f32 {
  var total = 0.0;
  if DENSE || has_classWeights {
    for (var start = first; start < params.classes; start += CHUNK * step) {
      var part = vec4<f32>();
      for (var c = start; c < min(start + CHUNK * step, params.classes); c += step) {
        var four = vec4<f32>();
        for (var i = 0u; i < min(4u, params.classes - c); i++) {
          if DENSE { four[i] = coefficient(row, hit, c + i); } else { four[i] = class_weight(c + i); }
        }
        part += four;
      }
      total += sum4(part);
    }
    if !DENSE { total *= params.labelSmoothing / f32(params.classes); }
  } else if first == 0u { total = params.labelSmoothing; }
  if !DENSE && first == 0u && !is_wrong(hit) { total += class_weight(hit) * (1.0 - params.labelSmoothing); }
  return total;
}

// d (A p_c - a_c), with A the sum of the coefficients a_c.
fn write_gradient(row: u32, hit: u32, first: u32, step: u32, all: f32, d: f32) {
  let largest = read_normalizers(2u * row);
  let inverse = read_normalizers(2u * row + 1u);
  for (var c = first; c < params.classes; c += step) {
    let at = row * params.classes + c;
    var g = vec4<f32>();
    if !is_ignored(hit) {
      if is_wrong(hit) { g = vec4<f32>(nan()); } else {
        g = all * (exp4(load_logits(row, c, 0.0) - largest) * inverse);
        if DENSE || SMOOTH {
          for (var i = 0u; i < min(4u, params.classes - c); i++) { g[i] -= coefficient(row, hit, c + i); }
        } else if hit >= c && hit < c + 4u { g[hit - c] -= class_weight(hit); }
        g *= d;
      }
    }
    if c + 4u <= params.classes { write4_dlogits(at, g); } else { for (var i = 0u; c + i < params.classes; i++) { write_dlogits(at + i, g[i]); } }
  }
}
