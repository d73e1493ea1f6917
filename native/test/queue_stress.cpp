// Drives the queue and the thread pool hard, for ThreadSanitizer: many small jobs, nested producers and consumers of
// results, plans, failures, fences, profiles, changes of the number of threads, and destruction with work still queued.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "../../kernels/elementwise/elementwise.h"
#include "../core/queue.h"

namespace anneal {
namespace {

constexpr int64_t kCells = 257;
int failures = 0;

void expect(bool ok, const char* what) {
  if (ok) return;
  std::printf("failed: %s\n", what);
  ++failures;
}

struct StressParams {
  uint32_t tasks;
  uint32_t failing;  // the task that raises, or tasks
};

// Adds 1 to each cell of out[0], a task a cell (task i takes cells i, i + tasks, ...), by way of scratch memory.
void addOne(const OpCall& call) {
  struct Job {
    const OpCall& call;
    StressParams params;
  } job{call, call.as<StressParams>()};
  call.exec.parallelFor(
      job.params.tasks,
      [](void* arg, int64_t task, int worker) {
        const Job& j = *static_cast<const Job*>(arg);
        if (task == j.params.failing) raise(Code::range, "task %u raises", j.params.failing);
        auto* scratch = static_cast<int64_t*>(j.call.exec.scratch(worker, 0, 64 * static_cast<size_t>(task + 1)));
        for (int64_t i = task; i < kCells; i += j.params.tasks) {
          scratch[0] = j.call.output<int64_t>(0)[i];
          j.call.output<int64_t>(0)[i] = scratch[0] + 1;
        }
      },
      &job);
}

OpRecord record(std::vector<int64_t>& cells, StressParams params) {
  OpRecord r{};
  r.op = 0;
  r.nIn = 0;
  r.nOut = 1;
  r.kernel = addOne;
  r.paramBytes = sizeof params;
  std::memcpy(r.params(), &params, sizeof params);
  r.operands()[0] = {cells.data(), cells.size() * sizeof(int64_t)};
  return r;
}

uint64_t push(Queue& queue, const OpRecord& r) {
  queue.nextOp() = r;
  return queue.publishOp();
}

void countFence(void* context, void*, std::optional<Failure> failure) {
  auto* counts = static_cast<std::atomic<int>*>(context);
  counts[failure ? 1 : 0].fetch_add(1, std::memory_order_relaxed);
}

void orderAndSums() {
  for (int threads = 1; threads <= 4; ++threads) {
    BufferPool memory;
    Queue queue(threads, memory);
    std::vector<int64_t> cells(kCells), copy(kCells);
    constexpr int kOps = 3000;  // about three times around the ring
    for (int i = 0; i < kOps; ++i) {
      push(queue, record(cells, {static_cast<uint32_t>(1 + i % 9), ~0u}));
      if (i % 500 == 499) {
        const CopyRecord out{copy.data(), cells.data(), kCells * sizeof(int64_t)};
        queue.wait(queue.push(out));
        for (int64_t cell : copy) expect(cell == i + 1, "a copy sees every op before it");
        queue.setThreads(1 + (i / 500) % 4);
      }
    }
    queue.wait(queue.submitted());
    for (int64_t cell : cells) expect(cell == kOps, "every op ran once");
    expect(!queue.takeFailure(), "no failure");
  }
}

void failuresAndFences() {
  BufferPool memory;
  Queue queue(3, memory);
  std::vector<int64_t> cells(kCells);
  std::atomic<int> counts[2] = {0, 0};
  constexpr int kRounds = 300;
  for (int i = 0; i < kRounds; ++i) {
    const bool fails = i % 3 == 0;
    push(queue, record(cells, {8, fails ? static_cast<uint32_t>(i % 8) : ~0u}));
    push(queue, record(cells, {4, ~0u}));
    queue.push(FenceRecord{countFence, counts, nullptr});
  }
  queue.wait(queue.submitted());
  expect(counts[1].load() == kRounds / 3, "a fence reports the failure before it");
  expect(counts[0].load() == kRounds - kRounds / 3, "and only that one");
  push(queue, record(cells, {2, 1}));
  queue.wait(queue.submitted());
  const std::optional<Failure> failure = queue.takeFailure();
  expect(failure && failure->code == Code::range, "takeFailure gives the failure");
  expect(!queue.takeFailure(), "once");
}

// A plan that fills floats in kParts ops; what with is a parameter of each run.
struct Fill {
  static constexpr uint32_t kParts = 8, kPart = 32;
  static constexpr uint64_t kBytes = uint64_t{kParts} * kPart * sizeof(float);
  std::shared_ptr<const Plan> plan;

  Fill() {
    uint32_t fill = 0;
    while (std::strcmp(opDef(fill).name, "fill") != 0) ++fill;
    auto made = std::make_shared<Plan>();
    made->slots = 1;
    for (uint32_t part = 0; part < kParts; ++part) {
      const PlanOperand out{0, part * kPart * sizeof(float), kPart * sizeof(float)};
      made->add(fill, 0, 1, 0, &out);
    }
    plan = std::move(made);
  }

  void push(Queue& queue, std::vector<float>& cells, float value) const {
    std::unique_ptr<PlanRun> run = queue.idleRun();
    run->plan = plan;
    std::vector<FillParams> params(kParts, FillParams{static_cast<uint32_t>(DType::f32), kPart, value, 0});
    const BufferRef slot{cells.data(), kBytes};
    const char* op = nullptr;
    run->bind(&slot, params.data(), isaBest(), op);
    queue.push(std::move(run));
  }
};

void plans() {
  for (int threads = 1; threads <= 4; ++threads) {
    BufferPool memory;
    Queue queue(threads, memory);
    std::vector<float> cells(Fill::kParts * Fill::kPart), copy(cells.size());
    constexpr int kRuns = 3000;
    for (int i = 0; i < kRuns; ++i) {
      if (i % 100 == 0) Fill().push(queue, cells, -1);  // a plan whose only owner is its run
      static const Fill fill;
      fill.push(queue, cells, static_cast<float>(i));
      if (i % 7 != 0) continue;
      queue.wait(queue.push(CopyRecord{copy.data(), cells.data(), Fill::kBytes}));
      for (float cell : copy) expect(cell == static_cast<float>(i), "a copy sees every plan before it");
    }
    queue.wait(queue.submitted());
    expect(!queue.takeFailure(), "no failure in a plan");
  }
}

// Profiles start and end again and again while helpers still come from the jobs before.
void profiles() {
  for (int threads = 1; threads <= 4; ++threads) {
    BufferPool memory;
    Queue queue(threads, memory);
    std::vector<int64_t> cells(kCells);
    for (int round = 0; round < 200; ++round) {
      constexpr uint64_t kOps = 20;
      const bool small = round % 4 == 3;  // the queue's buffer cannot hold all
      const uint64_t before = queue.submitted();
      queue.startProfile(small ? 7 : 1000);
      for (uint64_t i = 0; i < kOps; ++i) {
        push(queue, record(cells, {static_cast<uint32_t>(1 + i % 9), i == 11 ? 2u : ~0u}));
        if (i == 9 && round % 3 == 0) queue.setThreads(1 + round % 4);
      }
      const std::unique_ptr<Profile> profile = queue.stopProfile();
      expect(queue.profile() == nullptr, "a profile that was stopped is gone");
      expect(profile->queue.size() + profile->queue.dropped() == kOps, "an event for each op");
      uint64_t tasks = 0, dropped = 0;
      for (const auto& worker : profile->workers) {
        dropped += worker->dropped();
        for (const ProfileEvent& share : *worker) {
          tasks += share.what;
          const uint64_t op = share.sequence - before - 1;
          expect(op < kOps, "a share is of an op of the profile");
          if (op >= profile->queue.size()) continue;
          const ProfileEvent& whole = profile->queue.begin()[op];
          expect(whole.sequence == share.sequence, "ops are in order");
          expect(whole.start <= share.start && share.start <= share.end && share.end <= whole.end, "a share is within its op");
        }
      }
      uint64_t expected = 0;
      for (uint64_t i = 0; i < kOps; ++i) expected += 1 + i % 9;
      // A thread that raises in the middle of an op which nobody shares leaves no event of its part.
      expect(dropped > 0 || (tasks <= expected && tasks + 3 >= expected), "all tasks are in shares");
    }
    queue.takeFailure();
  }
}

void destructionWithWorkQueued() {
  const Fill fill;
  for (int i = 0; i < 200; ++i) {
    std::vector<int64_t> cells(kCells);
    std::vector<float> filled(Fill::kParts * Fill::kPart);
    BufferPool memory;
    Queue queue(1 + i % 4, memory);
    for (int j = 0; j < i % 40; ++j) {
      push(queue, record(cells, {5, ~0u}));
      if (i % 2 == 0) fill.push(queue, filled, 1);
    }
  }
}

void poolAlone() {
  ThreadPool pool(4);
  for (int round = 0; round < 5000; ++round) {
    const int64_t count = round % 23;
    std::vector<int> hits(static_cast<size_t>(count));
    pool.parallelFor(
        count, [](void* arg, int64_t i, int) { ++(*static_cast<std::vector<int>*>(arg))[static_cast<size_t>(i)]; }, &hits);
    for (int hit : hits) expect(hit == 1, "each task once");
  }
}

}  // namespace
}  // namespace anneal

int main() {
  anneal::poolAlone();
  anneal::orderAndSums();
  anneal::plans();
  anneal::failuresAndFences();
  anneal::profiles();
  anneal::destructionWithWorkQueued();
  std::printf("queue stress: %d failures\n", anneal::failures);
  return anneal::failures == 0 ? 0 : 1;
}
