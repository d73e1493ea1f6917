// limit: what the machine itself can do, as loops with nothing to improve. The benchmark runs them between the kernels and
// states each kernel as a share of them; nothing trains with them.
//
//   kind 0 fma     x = x / 2 + 1, `repeats` times, on kFmaChains independent values a task
//        1 triad   a = b + 3 c
//        2 read    sums[i] = sum of block i of x, read `repeats` times: blocks sized for a cache give its rate
//        3 sgd     x = g + 1e-4 p;  v = 0.9 v + x;  p -= 1e-3 v;  e += 1e-3 (p - e)
//        4 adamw   p -= 1e-5 p;  m = 0.9 m + 0.1 g;  v = 0.999 v + 0.001 g^2;  p -= 1e-3 m / (sqrt(v) + 1e-8);
//                  e += 1e-3 (p - e)
//
// Operands   f32, any alignment
//   fma      in start [kFmaChains]   out x [n, kFmaChains]
//   triad    in b [n], c [n]         out a [n]
//   read     in x [n]                out sums [ceil(n / block)]
//   sgd      in g [n]                out p, v, e [n], updated in place
//   adamw    in g [n]                out p, m, v, e [n], updated in place
// Bounds     n repeats is at most 2^28 (fma) or 2^36 (read): seconds on one core, not hours.
// Threads    fma: one of n tasks each; the rest: blocks of elements.
// Cost       fma: 2 kFmaChains n repeats flops. Bytes: triad 12 n, read 4 n repeats, sgd 28 n, adamw 36 n.
// References McCalpin, "STREAM: sustainable memory bandwidth in high performance computers" (triad).
#pragma once

#include <cstdint>

namespace anneal {

constexpr int64_t kMostFmaItems = int64_t{1} << 28;
constexpr int64_t kMostReadItems = int64_t{1} << 36;

enum class LimitKind : uint32_t { fma, triad, read, sgd, adamw };

// 12 chains of the widest vector: twice what hides the latency of a multiply-add on two units.
constexpr int kFmaChains = 192;

struct LimitParams {
  uint32_t kind;
  uint32_t n;
  uint32_t repeats;  // fma and read: at least 1
  uint32_t block;    // read: elements of a block, at least 1
};

}  // namespace anneal
