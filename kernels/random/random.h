// Random tensors and dropout from the counter-based generator Philox4x32-10 (common/philox.h): random, dropout.
//
//   word(i) = word i % 4 of philox(key (seedLo, seedHi), counter (i / 4, attempt, counter, stream)),  attempt = 0
//   u(i)    = (word(i) >> 8) * 2^-24, uniform in [0, 1)
//   random, by kind:
//     uniform           y[i] = low + (high - low) * u(i), kept below high where low < high
//     normal            y[i] = mean + std * z(i); z of the words (w0, w1) and (w2, w3) of a block by Box-Muller:
//                         r = sqrt(-2 ln((w0 + 1) / 2^32)),  t = 2 pi w1 / 2^32,  z = (r cos t, r sin t)
//     truncated_normal  as normal, but while |z(i)| > 2 with z(i) of the next attempt
//     bernoulli         y[i] = u(i) < p ? 1 : 0
//   dropout             y[i] = u(i) < p ? 0 : x[i] / (1 - p); its backward is the same call on dy
//
// So an element depends on (seed, stream, counter, i) alone: not on threads, instruction set or device. `stream` tells
// purposes apart, `counter` steps.
//
// Shapes     y, x [n] f32.      Operands   random [] -> [y]; dropout [x] -> [y], y may be x itself.
// Numbers    Uniform draws and the final mean + std * z are exact in double, then rounded to f32 once; Box-Muller runs
//            in double with the C library's log, sin and cos. 1 / (1 - p) is rounded to f32 before it multiplies x.
// Edges      low = high gives low. std = 0 gives mean. p in [0, 1]; p = 1 drops everything, NaN included.
// Cost       4 bytes an element written (8 for dropout); about 10 integer multiplications an element; normals are bound
//            by the C library.
// Reference  Salmon et al. (SC 2011); Box, Muller (1958).
#pragma once

#include <cstdint>

namespace anneal {

enum class RandomKind : uint32_t { uniform = 0, normal = 1, truncatedNormal = 2, bernoulli = 3 };

struct RandomParams {
  uint32_t kind;
  uint32_t n;
  uint32_t seedLo, seedHi;
  uint32_t stream, counter;
  float low, high;  // uniform
  float mean, std;  // normal, truncated_normal
  float p;          // bernoulli
};

struct DropoutParams {
  uint32_t n;
  uint32_t seedLo, seedHi;
  uint32_t stream, counter;
  float p;
};

// y[0 .. count) = normal or truncated_normal draws of elements first .. first + count - 1; first is a multiple of 4.
// Compiled once, so that every instruction set gives the same bits.
void normalDraws(const RandomParams& p, int64_t first, int64_t count, float* y);

}  // namespace anneal
