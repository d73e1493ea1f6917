// sgd_momentum_ema on WebGPU; contract in sgd_momentum_ema.h, the walk over the arena in common/segments.wgsl.

struct State { weight: vec4<f32>, update: vec4<f32>, grad: vec4<f32>, momentum: vec4<f32>, ema: vec4<f32> }
struct Rule { factor: f32, weight_decay: f32, rate: f32, grad_weight: f32 }

fn rule_of(segment: Segment) -> Rule {
  return Rule(gradient_factor(), segment.weight_decay, params.lr * segment.lr_scale, select(1.0 - params.dampening, 1.0, params.first == 1u));
}

fn load4(i: u32) -> State { return State(read4_params(i), vec4<f32>(), read4_grads(i), read4_momentum(i), read4_ema(i)); }
fn load1(i: u32) -> State {
  return State(vec4<f32>(read_params(i)), vec4<f32>(), vec4<f32>(read_grads(i)), vec4<f32>(read_momentum(i)), vec4<f32>(read_ema(i)));
}

fn store4(i: u32, state: State) {
  write4_params(i, state.weight);
  if has_momentum { write4_momentum(i, state.momentum); }
  if has_ema { write4_ema(i, state.ema); }
}
fn store1(i: u32, state: State) {
  write_params(i, state.weight.x);
  if has_momentum { write_momentum(i, state.momentum.x); }
  if has_ema { write_ema(i, state.ema.x); }
}

fn advance(rule: Rule, state: State) -> State {
  var next = state;
  let g = rule.factor * state.grad + rule.weight_decay * state.weight;
  var d = g;
  if has_momentum {
    let old = select(state.momentum, vec4<f32>(), params.first == 1u); // nothing yet: maybe NaN
    next.momentum = params.momentum * old + rule.grad_weight * g;
    d = select(next.momentum, g + params.momentum * next.momentum, params.nesterov == 1u);
  }
  next.update = rule.rate * d;
  next.weight = state.weight - next.update;
  if has_ema { next.ema = updated_ema(state.ema, next.weight); }
  return next;
}
