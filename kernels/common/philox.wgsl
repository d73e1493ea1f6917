// Philox4x32-10: the bits of philox.h. WGSL has no product of 64 bits, so its upper half is made of four of 16 by 16.

fn multiply_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let middle = a1 * b0 + ((a0 * b0) >> 16u); // below 2^32
  return a1 * b1 + (middle >> 16u) + ((a0 * b1 + (middle & 0xffffu)) >> 16u);
}

// Four uniform words for a key and a counter.
fn philox(key: vec2<u32>, counter: vec4<u32>) -> vec4<u32> {
  var k = key;
  var c = counter;
  for (var round = 0; round < 10; round++) {
    let high0 = multiply_high(0xd2511f53u, c.x);
    let high1 = multiply_high(0xcd9e8d57u, c.z);
    c = vec4<u32>(high1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// The words of elements 4 block to 4 block + 3 of an op with the parameters seedLo, seedHi, stream and counter.
fn draw_words(block: u32, attempt: u32) -> vec4<u32> {
  return philox(vec2<u32>(params.seedLo, params.seedHi), vec4<u32>(block, attempt, params.counter, params.stream));
}

// A word as a float in [0, 1): its upper 24 bits, exactly.
fn to_unit(words: vec4<u32>) -> vec4<f32> { return vec4<f32>(words >> vec4<u32>(8u)) * 5.9604644775390625e-8; }

// to_unit(word) < p is (word >> 8) < threshold(p), for p in [0, 1].
fn threshold(p: f32) -> u32 {
  if is_zero(p) { return 0u; }
  return max(u32(ceil(p * 16777216.0)), 1u);
}
