// adam on WebGPU; contract in adam.h, the walk over the arena in common/segments.wgsl.

struct State { weight: vec4<f32>, update: vec4<f32>, grad: vec4<f32>, m: vec4<f32>, v: vec4<f32>, v_max: vec4<f32>, ema: vec4<f32> }
// `decay` is weightDecay in Adam, where it joins the gradient, and rate * weightDecay in AdamW, where it joins the update.
struct Rule { factor: f32, decay: f32, step: f32, correction: f32 }

fn rule_of(segment: Segment) -> Rule {
  let rate = params.lr * segment.lr_scale;
  let decay = segment.weight_decay * select(1.0, rate, params.decoupled == 1u);
  return Rule(gradient_factor(), decay, rate / params.correction1, 1.0 / params.correction2);
}

fn load4(i: u32) -> State {
  return State(read4_params(i), vec4<f32>(), read4_grads(i), read4_m(i), read4_v(i), read4_vMax(i), read4_ema(i));
}
fn load1(i: u32) -> State {
  return State(vec4<f32>(read_params(i)), vec4<f32>(), vec4<f32>(read_grads(i)), vec4<f32>(read_m(i)), vec4<f32>(read_v(i)), vec4<f32>(read_vMax(i)), vec4<f32>(read_ema(i)));
}

fn store4(i: u32, state: State) {
  write4_params(i, state.weight);
  write4_m(i, state.m);
  write4_v(i, state.v);
  if has_vMax { write4_vMax(i, state.v_max); }
  if has_ema { write4_ema(i, state.ema); }
}
fn store1(i: u32, state: State) {
  write_params(i, state.weight.x);
  write_m(i, state.m.x);
  write_v(i, state.v.x);
  if has_vMax { write_vMax(i, state.v_max.x); }
  if has_ema { write_ema(i, state.ema.x); }
}

fn advance(rule: Rule, state: State) -> State {
  var next = state;
  let decoupled = params.decoupled == 1u;
  var g = rule.factor * state.grad;
  if !decoupled { g += rule.decay * state.weight; }
  next.m = params.beta1 * state.m + params.beta1Rate * g;
  next.v = params.beta2 * state.v + params.beta2Rate * (g * g);
  var second = next.v;
  if has_vMax {
    // v where either is NaN, for good.
    second = select(select(next.v, state.v_max, state.v_max > next.v), next.v, are_nan(next.v) | are_nan(state.v_max));
    next.v_max = second;
  }
  next.update = rule.step * next.m / (sqrt(second) * rule.correction + params.eps);
  if decoupled { next.update += rule.decay * state.weight; }
  next.weight = state.weight - next.update;
  if has_ema { next.ema = updated_ema(state.ema, next.weight); }
  return next;
}
