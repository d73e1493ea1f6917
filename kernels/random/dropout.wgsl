// dropout on WebGPU; contract in random.h. A thread takes BLOCKS blocks of four elements, neighbours side by side.

// 1 / (1 - p), rounded once: the quotient of floats and what is left of it.
fn kept_scale() -> f32 {
  let d = two_sum(1.0, -params.p);
  let quotient = 1.0 / d.x;
  let product = two_product(quotient, d.x);
  return quotient + quotient * (pinned(1.0 - product.x) - product.y - quotient * d.y);
}

@compute @workgroup_size(64)
fn dropout(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let dropped_below = threshold(params.p);
  let scale = kept_scale();
  let first = 64u * BLOCKS * flat_group(group, groups) + lane;
  for (var k = 0u; k < BLOCKS; k++) {
    let block = first + 64u * k;
    let i = 4u * block;
    if i >= params.n { return; }
    let dropped = draw_words(block, 0u) >> vec4<u32>(8u) < vec4<u32>(dropped_below);
    if i + 4u <= params.n {
      write4_y(i, select(scale * read4_x(i), vec4<f32>(), dropped));
    } else {
      for (var j = 0u; i + j < params.n; j++) { write_y(i + j, select(scale * read_x(i + j), 0.0, dropped[j])); }
    }
  }
}
