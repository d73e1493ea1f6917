// Contract of limit: parameter layout and size checks.
#include "limit.h"

#include "../../native/core/check.h"

namespace anneal {
namespace {

const Field kFields[] = {
    ANNEAL_FIELD(LimitParams, kind, u32, 1),
    ANNEAL_FIELD(LimitParams, n, u32, 1),
    ANNEAL_FIELD(LimitParams, repeats, u32, 1),
    ANNEAL_FIELD(LimitParams, block, u32, 1),
};

void operands(const OpCall& call, uint32_t in, uint32_t out) {
  check::condition(call.nIn == in && call.nOut == out, Code::argument,
                   "expected %u inputs and %u outputs, received %u and %u", in, out, call.nIn, call.nOut);
}

void repeats(const LimitParams& p, int64_t most) {
  check::range("repeats", p.repeats, 1, int64_t{1} << 31);
  check::condition(static_cast<uint64_t>(p.n) * p.repeats <= static_cast<uint64_t>(most), Code::range,
                   "expected n times repeats to be at most %lld, received %u times %u", static_cast<long long>(most), p.n,
                   p.repeats);
}

void checkLimit(const OpCall& call) {
  const auto& p = call.as<LimitParams>();
  static const char* const names[] = {"out 0", "out 1", "out 2", "out 3"};
  check::range("kind", p.kind, 0, static_cast<int64_t>(LimitKind::adamw));
  const auto kind = static_cast<LimitKind>(p.kind);
  if (kind == LimitKind::fma) {
    operands(call, 1, 1);
    repeats(p, kMostFmaItems);
    check::input(call, 0, "start", kFmaChains);
    check::output(call, 0, "x", check::product("x", p.n, kFmaChains));
  } else if (kind == LimitKind::triad) {
    operands(call, 2, 1);
    check::input(call, 0, "b", p.n);
    check::input(call, 1, "c", p.n);
    check::output(call, 0, "a", p.n);
  } else if (kind == LimitKind::read) {
    operands(call, 1, 1);
    repeats(p, kMostReadItems);
    check::range("block", p.block, 1, int64_t{1} << 31);
    check::input(call, 0, "x", p.n);
    check::output(call, 0, "sums", (static_cast<int64_t>(p.n) + p.block - 1) / p.block);
  } else {
    operands(call, 1, kind == LimitKind::sgd ? 3 : 4);
    check::input(call, 0, "g", p.n);
    for (uint32_t i = 0; i < call.nOut; ++i) check::output(call, i, names[i], p.n);
  }
  for (uint32_t out = 0; out < call.nOut; ++out)
    for (uint32_t in = 0; in < call.nIn; ++in) check::distinct(call, out, in);
  // Outputs that overlap would race.
  for (uint32_t i = 0; i < call.nOut; ++i)
    for (uint32_t j = 0; j < i; ++j) {
      const auto *a = call.output<std::byte>(i), *b = call.output<std::byte>(j);
      check::condition(a + call.out[i].bytes <= b || b + call.out[j].bytes <= a, Code::argument,
                       "expected distinct outputs, received %u and %u that overlap", j, i);
    }
}

}  // namespace

OpDef limit_op();
void limit_reference(const OpCall& call);

OpDef limit_op() {
  return {"limit", sizeof(LimitParams), kFields, sizeof(kFields) / sizeof(kFields[0]), 1, 2, 1, 4, checkLimit,
          limit_reference};
}

}  // namespace anneal
