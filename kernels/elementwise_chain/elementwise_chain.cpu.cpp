// CPU body of elementwise_chain: tasks over ranges as the single ops have them, each in tiles. A step runs its function's loop
// over a tile of its operands; its result goes to the output, or to a tile of scratch that later steps read. Whatever
// nobody needs any more is overwritten, so that a chain without branches needs one tile.
#include "../common/parallel.h"
#include "../common/stream.h"
#include "../elementwise/loops.h"
#include "elementwise_chain.h"

namespace anneal::ANNEAL_ISA {
namespace {

// As the single ops: a sweep over this much takes a few microseconds, about what waking a thread costs.
constexpr int64_t kGrain = 16384;

// Items a tile. In cache: 1024, so that the few nanoseconds of calling a loop are a few percent of it, and eight tiles are 32
// of 48 KB of the L1 cache; 256 is about 50% slower with eight steps, 4096 30% with four tiles. Past the caches short
// tiles keep loads and stores in flight together: 8 Mi items, 1024 / 128: relu(a b + c) 2.29 / 1.86 ms, with a b + c kept 3.13 /
// 2.27; but eight adds 2.16 / 2.82, hence 512 for many steps (2.18) (2-core AMD EPYC Zen 5, two threads, 2026-11-25).
constexpr int64_t kTile = 1024;
constexpr int64_t kStreamTile = 128;
constexpr int64_t kLongStreamTile = 512;
constexpr uint32_t kManySteps = 5;

constexpr int kNoTile = -1;

static_assert(kTile % kLanes == 0 && kStreamTile % kLanes == 0 && kLongStreamTile % kLanes == 0,
              "every tile but the last must be made of whole vectors, as a single op's range is");
static_assert(kStreamTile <= kTile && kLongStreamTile <= kTile);

// Where an operand or a result lies.
struct Place {
  int32_t* memory;
  int tile;  // kNoTile: in memory
  int step;  // 1 dense, 0 one value for all
};

struct Step {
  UnaryLoop unary;  // one of the two is null
  BinaryLoop binary;
  Scalars constants;
  float scalar;
  Place a, b, result;
  // Where a result that is read again goes as well, past the caches: it stays in a tile for its readers.
  int32_t* copy;
};

struct Tiles {
  alignas(64) int32_t items[kChainSteps][kTile];

  int32_t* at(const Place& place, int64_t begin) {
    return place.tile == kNoTile ? place.memory + place.step * begin : items[place.tile];
  }
};

void streamCopy(const int32_t* from, int32_t* to, int64_t n) {
  int64_t i = 0;
  if (onBoundary(to))
    for (; i + kLanes <= n; i += kLanes) StreamStores::put(reinterpret_cast<float*>(to + i), fromBits(loadi(from + i)));
  std::memcpy(to + i, from + i, static_cast<size_t>(n - i) * 4);
}

void runTile(const Step* steps, uint32_t count, int64_t begin, int64_t n, Tiles& tiles) {
  for (uint32_t s = 0; s < count; ++s) {
    const Step& step = steps[s];
    int32_t* out = tiles.at(step.result, begin);
    const int32_t* const in[] = {tiles.at(step.a, begin), tiles.at(step.b, begin)};
    if (step.unary != nullptr) {
      step.unary(step.constants, in[0], out, n);
    } else {
      const int advances[] = {step.a.step, step.b.step};
      step.binary(step.constants, in, advances, out, n);
    }
    if (step.copy != nullptr) streamCopy(out, step.copy + begin, n);
  }
}

// The last step that reads the result of step s, or s.
uint32_t lastReader(const ElementwiseChainParams& p, uint32_t s) {
  uint32_t last = s;
  for (uint32_t t = s + 1; t < p.steps; ++t)
    if (p.a[t] == kFirstResult + s || p.b[t] == kFirstResult + s) last = t;
  return last;
}

bool overwritesInput(const OpCall& call, uint32_t out) {
  for (uint32_t i = 0; i < call.nIn; ++i)
    if (call.in[i].data == call.out[out].data) return true;
  return false;
}

bool isLarge(const OpCall& call) { return operandBytes(call) >= kStreamBytes; }

void plan(const OpCall& call, Step (&steps)[kChainSteps]) {
  const auto& p = call.as<ElementwiseChainParams>();
  const bool large = StreamStores::streaming && isLarge(call);
  bool used[kChainSteps] = {};
  for (uint32_t s = 0; s < p.steps; ++s) {
    Step& step = steps[s];
    const auto operand = [&](uint32_t from) -> Place {
      if (from == 0) return {reinterpret_cast<int32_t*>(&step.scalar), kNoTile, 0};
      if (from >= kFirstResult) return steps[from - kFirstResult].result;
      return {static_cast<int32_t*>(call.in[from - 1].data), kNoTile, (p.single >> (from - 1) & 1) != 0 ? 0 : 1};
    };
    step.scalar = p.scalar[s];
    step.constants = {p.alpha[s], p.beta[s], 0, 0, false};
    step.unary = nullptr;
    step.binary = nullptr;
    if (p.code[s] < kBinaryStep)
      step.unary = floatUnaryLoop(static_cast<UnaryCode>(p.code[s]), step.constants);
    else
      step.binary = floatBinaryLoop(static_cast<BinaryCode>(p.code[s] - kBinaryStep));
    step.a = operand(p.a[s]);
    step.b = operand(p.b[s]);
    // Tiles whose last reader this is may take its result.
    for (uint32_t t = 0; t < s; ++t)
      if (steps[t].result.tile != kNoTile && lastReader(p, t) == s) used[steps[t].result.tile] = false;

    const bool stored = p.store[s] != 0;
    const bool isRead = lastReader(p, s) > s;
    int32_t* out = stored ? call.output<int32_t>(p.store[s] - 1) : nullptr;
    const bool streams = stored && large && !overwritesInput(call, p.store[s] - 1);
    step.constants.streams = streams && !isRead;
    step.copy = streams && isRead ? out : nullptr;
    step.result = {out, kNoTile, 1};
    if (stored && step.copy == nullptr) continue;
    int tile = 0;
    while (used[tile]) ++tile;
    used[tile] = true;
    step.result = {nullptr, tile, 1};
  }
}

}  // namespace

void elementwise_chain(const OpCall& call) {
  const auto& p = call.as<ElementwiseChainParams>();
  Step steps[kChainSteps];
  plan(call, steps);
  const int64_t tile = !isLarge(call) ? kTile : p.steps < kManySteps ? kStreamTile : kLongStreamTile;
  parallelRange(call.exec, p.count, kGrain, [&](int64_t begin, int64_t end, int) {
    Tiles tiles;
    for (int64_t at = begin; at < end; at += tile)
      runTile(steps, p.steps, at, at + tile < end ? tile : end - at, tiles);
    fenceStreams();
  });
}

}  // namespace anneal::ANNEAL_ISA
