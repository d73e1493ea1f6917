// batch_norm on WebGPU: block_statistics, fold_statistics, normalise; outside training normalise alone. TRAINING is a constant.
//
// Numbers  32 rows at a time: sum and sum of squares of what they differ from the first of them, so x is read once. That row is one of
//          those summed, which bounds what M2 = q - s^2 / n can lose by a factor of 32, however far it lies from the mean (usually some
//          deviations: nothing), and keeps M2 >= 0. Then by Chan's formula to a block, and the fold takes all blocks' means as they
//          differ from the first one's, and with their mean the sum of M2_b + n_b (mean_b - mean)^2: a large mean costs no digits.

// Rows start to below end, by ROWS.
@compute @workgroup_size(64)
fn block_statistics(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let share = share_of(64u * flat_group(group, groups) + lane, block_rows());
  if share.start >= share.end { return; }
  var mean = vec4<f32>();
  var squares = vec4<f32>();
  for (var start = share.start; start < share.end; start += ROWS) {
    let end = min(start + ROWS, share.end);
    let first = four_x(start * params.channels + share.c);
    var s = vec4<f32>();
    var q = vec4<f32>();
    // From the first row itself, so that what is not finite there is seen.
    for (var row = start; row < end; row++) {
      let d = four_x(row * params.channels + share.c) - first;
      s += d;
      q += d * d;
    }
    let n = f32(end - start);
    let shift = s / n;
    let before = f32(start - share.start);
    let delta = (first - mean) + shift;
    let weight = n / (before + n);
    if start == share.start { mean = first + shift; } else { mean += delta * weight; }
    squares += q - s * shift;
    if start > share.start { squares += delta * delta * (before * weight); }
  }
  write_pair(stats_at(share.block) + share.c, mean, squares);
}

fn rows_of(block: u32) -> f32 { return f32(min(block_rows(), params.rows - block * block_rows())); }

@compute @workgroup_size(FOLD_CHANNELS * LANES)
fn fold_statistics(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  // Channels past the last fold the last again, so that all meet at the barriers.
  let channel = FOLD_CHANNELS * flat_group(group, groups) + index % FOLD_CHANNELS;
  let c = min(channel, params.channels - 1u);
  let lane = index / FOLD_CHANNELS;
  let count = blocks();
  var mean = 0.0;
  var variance = 0.0;
  if count > 0u {
    let pivot = read_stats(stats_at(0u) + c);
    var sum = 0.0;
    for (var start = lane; start < count; start += LANES * FOLD_CHUNK) {
      var part = 0.0;
      for (var block = start; block < min(start + LANES * FOLD_CHUNK, count); block += LANES) {
        part += rows_of(block) * (read_stats(stats_at(block) + c) - pivot);
      }
      sum += part;
    }
    let rows = f32(params.rows);
    mean = pivot + sum_of_lanes(index, vec2<f32>(sum, 0.0)).x / rows;
    var squares = 0.0;
    for (var start = lane; start < count; start += LANES * FOLD_CHUNK) {
      var part = 0.0;
      for (var block = start; block < min(start + LANES * FOLD_CHUNK, count); block += LANES) {
        let delta = read_stats(stats_at(block) + c) - mean;
        part += read_stats(stats_at(block) + params.channels + c) + rows_of(block) * delta * delta;
      }
      squares += part;
    }
    squares = sum_of_lanes(index, vec2<f32>(squares, 0.0)).x;
    variance = squares / rows;
    if lane == 0u && channel < params.channels {
      let keep = 1.0 - params.momentum;
      let unbiased = select(variance, squares / max(rows - 1.0, 1.0), params.rows > 1u);
      if has_runningMean { write_runningMean(c, keep * read_runningMean(c) + params.momentum * mean); }
      if has_runningVar { write_runningVar(c, keep * read_runningVar(c) + params.momentum * unbiased); }
    }
  }
  if lane == 0u && channel < params.channels {
    let rstd = 1.0 / sqrt(variance + params.eps);
    write_stats(c, mean);
    write_stats(c + params.channels, rstd);
    if has_mean { write_mean(c, mean); }
    if has_rstd { write_rstd(c, rstd); }
  }
}

fn four_beta(i: u32) -> vec4<f32> {
  if FOUR { return read4_beta(i); }
  return vec4<f32>(read_beta(i));
}
// Mean, then variance.
fn four_fixed(i: u32) -> array<vec4<f32>, 2> {
  if FOUR { return array<vec4<f32>, 2>(read4_fixedMean(i), read4_fixedVar(i)); }
  return array<vec4<f32>, 2>(vec4<f32>(read_fixedMean(i)), vec4<f32>(read_fixedVar(i)));
}

fn keep_fixed(c: u32, mean: vec4<f32>, rstd: vec4<f32>) {
  if FOUR {
    if has_mean { write4_mean(c, mean); }
    if has_rstd { write4_rstd(c, rstd); }
  } else {
    if has_mean { write_mean(c, mean.x); }
    if has_rstd { write_rstd(c, rstd.x); }
  }
}

// y may be x: each element is read by the thread that writes it, and before.
@compute @workgroup_size(64)
fn normalise(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let share = share_of(64u * flat_group(group, groups) + lane, ROUNDS);
  let c = share.c;
  var mean: vec4<f32>;
  var rstd: vec4<f32>;
  if TRAINING {
    mean = four_stats(c);
    rstd = four_stats(c + params.channels);
  } else {
    let given = four_fixed(c);
    mean = given[0];
    rstd = 1.0 / sqrt(given[1] + params.eps);
    if share.block == 0u { keep_fixed(c, mean, rstd); }
  }
  let scale = rstd * four_gamma(c);
  let shift = four_beta(c);
  for (var row = share.start; row < share.end; row++) {
    let at = row * params.channels + c;
    let y = (four_x(at) - mean) * scale + shift;
    if FOUR { write4_y(at, y); } else { write_y(at, y.x); }
  }
}
