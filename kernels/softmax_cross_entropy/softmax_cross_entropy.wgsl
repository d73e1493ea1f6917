// softmax_cross_entropy on WebGPU, in up to three launches: REDUCTION is a constant.
//
// loss_*      Rows: maximum, sum of exponentials, loss and weight; losses that are summed wait in scratch (row_loss), or, where the gradient is
//             written later, in its first column: adapters need take no more than eight buffers.
// total_*     Their sum or mean, by one thread in software, by one workgroup on a GPU.
// gradient_*  Rows again, where dlogits is asked for: the function that the backward uses, from the same normalizers.

fn largest_of(row: u32, first: u32, step: u32) -> f32 {
  var largest = -infinity();
  for (var c = first; c < params.classes; c += step) { largest = above4(largest, load_logits(row, c, -infinity())); }
  return largest;
}

fn sum_of_exp(row: u32, first: u32, step: u32, largest: f32) -> f32 {
  var total = 0.0;
  for (var start = first; start < params.classes; start += CHUNK * step) {
    var part = vec4<f32>();
    for (var c = start; c < min(start + CHUNK * step, params.classes); c += step) { part += exp4(load_logits(row, c, -infinity()) - largest); }
    total += sum4(part);
  }
  return total;
}

// sum a_c (ln s - (x_c - m)), over the classes that count; the class that was hit apart, as in sum_of_coefficients.
fn sum_of_losses(row: u32, hit: u32, first: u32, step: u32, largest: f32, log_sum: f32) -> f32 {
  var total = 0.0;
  if is_ignored(hit) { return 0.0; }
  if is_wrong(hit) { return nan(); }
  if DENSE || SMOOTH {
    for (var start = first; start < params.classes; start += CHUNK * step) {
      var part = 0.0;
      for (var c = start; c < min(start + CHUNK * step, params.classes); c += step) {
        let surprise = log_sum - (load_logits(row, c, 0.0) - largest);
        for (var i = 0u; i < min(4u, params.classes - c); i++) { part += coefficient(row, NO_CLASS, c + i) * surprise[i]; }
      }
      total += part;
    }
  }
  if !DENSE && first == 0u {
    total += class_weight(hit) * (1.0 - params.labelSmoothing) * (log_sum - (read_logits(row * params.classes + hit) - largest));
  }
  return total;
}

fn keep_loss(row: u32, loss: f32) {
  if has_dlogits { write_dlogits(row * params.classes, loss); } else { write_row_loss(row, loss); }
}
fn kept_loss(row: u32) -> f32 {
  if has_dlogits { return read_dlogits(row * params.classes); }
  return read_row_loss(row);
}

fn finish_row(row: u32, hit: u32, largest: f32, sum: f32, loss: f32) {
  if REDUCTION == 0u { write_loss(row, loss); } else { keep_loss(row, loss); }
  write_normalizers(2u * row, largest);
  write_normalizers(2u * row + 1u, 1.0 / sum);
  var weight = 1.0;
  if is_ignored(hit) { weight = 0.0; } else if is_wrong(hit) { weight = nan(); } else if !DENSE { weight = class_weight(hit); }
  write_weight(row, weight);
}

@compute @workgroup_size(THREADS)
fn loss_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups) * THREADS + lane;
  if row >= params.rows { return; }
  let hit = class_of(row);
  let largest = largest_of(row, 0u, 4u);
  let sum = sum_of_exp(row, 0u, 4u, largest);
  finish_row(row, hit, largest, sum, sum_of_losses(row, hit, 0u, 4u, largest, log_f32(sum)));
}

@compute @workgroup_size(GROUP)
fn loss_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if row >= params.rows { return; }
  let first = 4u * lane;
  let step = 4u * GROUP;
  let hit = class_of(row);
  let largest = group_largest(lane, largest_of(row, first, step));
  let sum = group_sum(lane, sum_of_exp(row, first, step, largest));
  let loss = group_sum(lane, sum_of_losses(row, hit, first, step, largest, log_f32(sum)));
  if lane == 0u { finish_row(row, hit, largest, sum, loss); }
}

// Losses and weights of every `step`th row.
fn totals_of(first: u32, step: u32) -> vec2<f32> {
  var totals = vec2<f32>();
  for (var start = first; start < params.rows; start += CHUNK * step) {
    var part = vec2<f32>();
    for (var row = start; row < min(start + CHUNK * step, params.rows); row += step) { part += vec2<f32>(kept_loss(row), read_weight(row)); }
    totals += part;
  }
  return totals;
}

fn finish(totals: vec2<f32>) {
  if REDUCTION == 2u {
    write_loss(0u, totals.x / totals.y);
    write_divisor(0u, totals.y);
  } else { write_loss(0u, totals.x); }
}

@compute @workgroup_size(1)
fn total_thread() { finish(totals_of(0u, 1u)); }

@compute @workgroup_size(GROUP)
fn total_group(@builtin(local_invocation_index) lane: u32) {
  let totals = totals_of(lane, GROUP);
  let losses = group_sum(lane, totals.x);
  let weights = group_sum(lane, totals.y);
  if lane == 0u { finish(vec2<f32>(losses, weights)); }
}

fn slope() -> f32 {
  if REDUCTION == 2u { return 1.0 / read_divisor(0u); }
  return 1.0;
}

@compute @workgroup_size(THREADS)
fn gradient_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups) * THREADS + lane;
  if row >= params.rows { return; }
  let hit = class_of(row);
  write_gradient(row, hit, 0u, 4u, sum_of_coefficients(row, hit, 0u, 4u), slope());
}

@compute @workgroup_size(GROUP)
fn gradient_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if row >= params.rows { return; }
  let hit = class_of(row);
  let all = group_sum(lane, sum_of_coefficients(row, hit, 4u * lane, 4u * GROUP));
  write_gradient(row, hit, 4u * lane, 4u * GROUP, all, slope());
}
