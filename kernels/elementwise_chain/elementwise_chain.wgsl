// elementwise_chain on WebGPU; contract in elementwise_chain.h.
//
// `chain(i: u32)`, which does all steps for item i, is written for the chain by elementwise_chain.webgpu.ts: a line for each input,
// each step and each output. It reads all inputs before it writes an output, which may be one of them.
//
// Four items a thread, 64 apart, so that neighbouring threads take neighbouring items.

// The bits of the single ops: a compiler that sees two steps together may fuse a product and a sum. So each result passes a word
// that is 0 (there are fewer than 2^31 items of four bytes), which no compiler knows.
fn rounded(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ (params.count >> 31u)); }

@compute @workgroup_size(64)
fn elementwise_chain(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = 256u * flat_group(group, groups) + lane;
  for (var i = first; i < min(first + 256u, params.count); i += 64u) { chain(i); }
}
