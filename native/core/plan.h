// A recorded list of ops, run as one record of the queue.
//
// A plan is plain data: each op's id, where its parameters lie in one block of bytes, and operands as (slot, offset, bytes).
// What a slot is, is said anew for each run, so that inputs and results can be other memory each time; so are parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "registry.h"

namespace anneal {

constexpr uint32_t kNoSlot = UINT32_MAX;

struct PlanOperand {
  uint32_t slot;  // kNoSlot: absent
  uint64_t offset, bytes;
};

struct PlanOp {
  uint32_t op;
  uint32_t nIn, nOut;
  uint32_t half;          // OpCall::half
  uint32_t firstOperand;  // inputs, then outputs
  uint32_t params;        // byte in the block of parameters, a multiple of 8
};

struct Plan {
  std::vector<PlanOp> ops;
  std::vector<PlanOperand> operands;
  uint32_t slots = 0;
  uint32_t paramBytes = 0;  // of all ops together
  mutable double us = 0;    // a run's time on one thread, about, as the queue thread last saw it; nobody else looks

  // Adds an op; raises unless it has as many operands as it may, on slots there are.
  void add(uint32_t op, uint32_t nIn, uint32_t nOut, uint32_t half, const PlanOperand* first);
};

// One run of a plan: its own copy of the parameters, and operands that are resolved. Reused when it is done.
struct PlanRun {
  std::shared_ptr<const Plan> plan;
  Isa isa;
  std::vector<std::byte> params;
  std::vector<BufferRef> operands;

  // Resolves the operands to parts of the slots' memory and checks every op. Raises, with the op's name in `op`.
  void bind(const BufferRef* slots, const void* paramBytes, Isa with, const char*& op);
  OpCall call(const PlanOp& op, Exec& exec) const;
};

}  // namespace anneal
