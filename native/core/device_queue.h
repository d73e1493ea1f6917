// Every device is a queue: what the boundary asks of one. Calls come from the JavaScript thread, enqueue, and return; what they do
// happens in their order. Records are numbered from 1 on.
#pragma once

#include <memory>
#include <optional>

#include "plan.h"
#include "profile.h"
#include "registry.h"
#include "status.h"
#include "timing.h"

namespace anneal {

class BufferPool;

// One op call. Parameters and operands lie one right after the other, so that a record is a few cache lines on its way to
// the queue thread, not all that it could hold. Set `paramBytes` first.
struct OpRecord {
  KernelFn kernel;
  Isa isa;
  uint32_t op;
  uint32_t paramBytes;
  uint32_t nIn, nOut;
  uint32_t half;  // OpCall::half
  alignas(8) std::byte payload[kMaxParamBytes + kMaxOperands * sizeof(BufferRef)];

  std::byte* params() { return payload; }
  const std::byte* params() const { return payload; }
  BufferRef* operands() { return reinterpret_cast<BufferRef*>(payload + operandsAt()); }  // inputs, then outputs
  const BufferRef* operands() const { return reinterpret_cast<const BufferRef*>(payload + operandsAt()); }
  size_t operandsAt() const { return (size_t{paramBytes} + 7) / 8 * 8; }
  OpCall call(Exec& exec) const { return {params(), operands(), operands() + nIn, nIn, nOut, exec, half}; }
};

// An op executed many times, with the time of each sample.
struct TimedRecord {
  OpRecord op;
  Timing timing;  // `seconds` must outlive the record
};

// Calls back on a thread of the queue's, with the failure of the first op that failed since the last such record, if any.
struct FenceRecord {
  void (*done)(void* context, void* token, std::optional<Failure> failure);
  void* context;
  void* token;
};

class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;

  // The next record, to be filled in place and then published; leaving it unpublished takes it back. May wait for room.
  virtual OpRecord& nextOp() = 0;
  virtual uint64_t publishOp() = 0;  // returns the record's sequence number

  // Each may wait for room and returns the record's sequence number.
  virtual uint64_t push(const TimedRecord& record) = 0;
  virtual uint64_t push(std::unique_ptr<PlanRun> run) = 0;
  // A run of an earlier record that is done, or a new one.
  virtual std::unique_ptr<PlanRun> idleRun() = 0;
  // The plan will not be run again.
  virtual void forget(const Plan&) {}
  virtual uint64_t push(const FenceRecord& record) = 0;
  // To the device's memory: `from` is read before this returns. `lastUse`: the record that touches the destination's block last.
  // Gives the record that does so now.
  virtual uint64_t write(void* to, const void* from, size_t bytes, uint64_t lastUse) = 0;
  // `to` is filled once the record is done.
  virtual uint64_t read(void* to, const void* from, size_t bytes) = 0;

  // Gives back what the device keeps for copies that are done; the bytes.
  virtual size_t trim() { return 0; }

  virtual uint64_t completed() = 0;        // the last record that is known to be done
  virtual uint64_t submitted() const = 0;
  virtual uint64_t waits() const = 0;      // how often there was no room
  virtual void wait(uint64_t sequence) = 0;           // blocks the calling thread
  virtual void linger(uint64_t sequence) = 0;         // blocks it for some microseconds at most
  virtual std::optional<Failure> takeFailure() = 0;   // since the last call; wait() first

  // Makes executions of one op fail (fault.h), or allocations of scratch memory; both wait for the queue to drain.
  virtual void failOp(uint32_t op, uint32_t first, uint32_t times) = 0;
  virtual void failScratch(uint32_t first, uint32_t times) = 0;

  // From here on what the device does is an event, up to `capacity` of them on each of its threads. Both wait for the queue to
  // drain.
  virtual void startProfile(size_t capacity) = 0;
  virtual std::unique_ptr<Profile> stopProfile() = 0;
  virtual const Profile* profile() const = 0;  // null: none is taken
};

}  // namespace anneal
