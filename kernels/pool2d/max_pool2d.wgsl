// The maximum of each window, and where it was. The comparisons know NaN.

fn four_x(i: u32) -> vec4<f32> {
  if FOUR { return read4_x(i); }
  return vec4<f32>(read_x(i));
}
fn store_y(i: u32, value: vec4<f32>) {
  if FOUR { write4_y(i, value); } else { write_y(i, value.x); }
}

fn better(x: f32, best: f32) -> bool { return is_nan(x) || (!is_nan(best) && x > best); }

@compute @workgroup_size(64)
fn max_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let to = element(group, groups, lane, params.oh, params.ow);
  if !to.inside { return; }
  let rows = taps(to.row, params.strideH, params.padTop, params.kh, params.h);
  let columns = taps(to.column, params.strideW, params.padLeft, params.kw, params.w);
  var best = vec4<f32>();
  var place = vec4<i32>(-1);
  for (var ky = rows.x; ky < rows.y; ky++) {
    let line = (to.n * params.h + to.row * params.strideH + ky - params.padTop) * params.w;
    for (var kx = columns.x; kx < columns.y; kx++) {
      let x = four_x((line + to.column * params.strideW + kx - params.padLeft) * params.c + to.c);
      let tap = i32(ky * params.kw + kx);
      let takes = vec4<bool>(better(x.x, best.x), better(x.y, best.y), better(x.z, best.z), better(x.w, best.w)) | (place < vec4<i32>(0));
      best = select(best, x, takes);
      place = select(place, vec4<i32>(tap), takes);
    }
  }
  store_y(to.at, best);
  if has_argmax {
    if FOUR { write4_argmax(to.at, place); } else { write_argmax(to.at, place.x); }
  }
}
