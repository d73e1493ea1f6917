// batch_norm_backward on WebGPU: block_sums, fold_sums, input_gradient; without the first two where nobody needs sums (dx alone outside
// training). TRAINING is a constant. 32 rows are summed at a time, and rstd, which all terms of dgamma share, comes in at a block's end.

fn four_dy(i: u32) -> vec4<f32> {
  if FOUR { return read4_dy(i); }
  return vec4<f32>(read_dy(i));
}
fn four_mean(i: u32) -> vec4<f32> {
  if FOUR { return read4_mean(i); }
  return vec4<f32>(read_mean(i));
}
fn four_rstd(i: u32) -> vec4<f32> {
  if FOUR { return read4_rstd(i); }
  return vec4<f32>(read_rstd(i));
}

@compute @workgroup_size(64)
fn block_sums(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let share = share_of(64u * flat_group(group, groups) + lane, block_rows());
  if share.start >= share.end { return; }
  let mean = four_mean(share.c);
  var total = vec4<f32>();
  var product = vec4<f32>();
  for (var start = share.start; start < share.end; start += ROWS) {
    var t = vec4<f32>();
    var p = vec4<f32>();
    for (var row = start; row < min(start + ROWS, share.end); row++) {
      let at = row * params.channels + share.c;
      let dy = four_dy(at);
      t += dy;
      p += dy * (four_x(at) - mean);
    }
    total += t;
    product += p;
  }
  write_pair(stats_at(share.block) + share.c, total, product * four_rstd(share.c));
}

@compute @workgroup_size(FOLD_CHANNELS * LANES)
fn fold_sums(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let channel = FOLD_CHANNELS * flat_group(group, groups) + index % FOLD_CHANNELS;
  let c = min(channel, params.channels - 1u);
  let lane = index / FOLD_CHANNELS;
  let count = blocks();
  var sums = vec2<f32>();
  for (var start = lane; start < count; start += LANES * FOLD_CHUNK) {
    var part = vec2<f32>();
    for (var block = start; block < min(start + LANES * FOLD_CHUNK, count); block += LANES) {
      let at = stats_at(block) + c;
      part += vec2<f32>(read_stats(at), read_stats(at + params.channels));
    }
    sums += part;
  }
  sums = sum_of_lanes(index, sums);
  if lane > 0u || channel >= params.channels { return; }
  if has_dbeta { write_dbeta(c, sums.x); }
  if has_dgamma { write_dgamma(c, sums.y); }
  let means = sums / max(f32(params.rows), 1.0);
  write_stats(c, means.x);
  write_stats(c + params.channels, means.y);
}

// dx may be dy: each element is read by the thread that writes it, and before.
@compute @workgroup_size(64)
fn input_gradient(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let share = share_of(64u * flat_group(group, groups) + lane, ROUNDS);
  if share.start >= share.end { return; }
  let c = share.c;
  let rstd = four_rstd(c);
  let scale = four_gamma(c) * rstd;
  var mean: vec4<f32>;
  var total: vec4<f32>;
  var slope: vec4<f32>;
  if TRAINING {
    mean = four_mean(c);
    total = four_stats(c);
    slope = four_stats(c + params.channels);
  }
  for (var row = share.start; row < share.end; row++) {
    let at = row * params.channels + c;
    var dx = four_dy(at);
    if TRAINING { dx = dx - total - (four_x(at) - mean) * rstd * slope; }
    dx *= scale;
    if FOUR { write4_dx(at, dx); } else { write_dx(at, dx.x); }
  }
}
