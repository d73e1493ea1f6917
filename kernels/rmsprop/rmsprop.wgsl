// rmsprop on WebGPU; contract in rmsprop.h, the walk over the arena in common/segments.wgsl.

struct State { weight: vec4<f32>, update: vec4<f32>, grad: vec4<f32>, v: vec4<f32>, mean: vec4<f32>, momentum: vec4<f32>, ema: vec4<f32> }
struct Rule { factor: f32, weight_decay: f32, rate: f32 }

fn rule_of(segment: Segment) -> Rule { return Rule(gradient_factor(), segment.weight_decay, params.lr * segment.lr_scale); }

fn load4(i: u32) -> State {
  return State(read4_params(i), vec4<f32>(), read4_grads(i), read4_v(i), read4_meanGrad(i), read4_momentum(i), read4_ema(i));
}
fn load1(i: u32) -> State {
  return State(vec4<f32>(read_params(i)), vec4<f32>(), vec4<f32>(read_grads(i)), vec4<f32>(read_v(i)), vec4<f32>(read_meanGrad(i)), vec4<f32>(read_momentum(i)), vec4<f32>(read_ema(i)));
}

fn store4(i: u32, state: State) {
  write4_params(i, state.weight);
  write4_v(i, state.v);
  if has_meanGrad { write4_meanGrad(i, state.mean); }
  if has_momentum { write4_momentum(i, state.momentum); }
  if has_ema { write4_ema(i, state.ema); }
}
fn store1(i: u32, state: State) {
  write_params(i, state.weight.x);
  write_v(i, state.v.x);
  if has_meanGrad { write_meanGrad(i, state.mean.x); }
  if has_momentum { write_momentum(i, state.momentum.x); }
  if has_ema { write_ema(i, state.ema.x); }
}

fn advance(rule: Rule, state: State) -> State {
  var next = state;
  let g = rule.factor * state.grad + rule.weight_decay * state.weight;
  var second = params.alpha * state.v + params.alphaRate * (g * g);
  next.v = second;
  if has_meanGrad {
    next.mean = params.alpha * state.mean + params.alphaRate * g;
    let variance = second - next.mean * next.mean;
    second = select(variance, vec4<f32>(), (variance < vec4<f32>()) & !are_nan(variance));
  }
  var d = g / (sqrt(second) + params.eps);
  if has_momentum {
    d = params.momentum * state.momentum + d;
    next.momentum = d;
  }
  next.update = rule.rate * d;
  next.weight = state.weight - next.update;
  if has_ema { next.ema = updated_ema(state.ema, next.weight); }
  return next;
}
