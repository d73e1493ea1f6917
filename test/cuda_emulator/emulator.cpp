#include "emulator.h"

#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <mutex>
#include <numeric>
#include <type_traits>
#include <vector>

// ---- Fibers ----

#if defined(__x86_64__)
// Keeps what the ABI says a callee keeps, on the stack, and goes on with another stack.
extern "C" void annealSwitchFiber(void** keep, void* to);
asm(R"(
.text
.type annealSwitchFiber,@function
annealSwitchFiber:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size annealSwitchFiber,.-annealSwitchFiber
)");
#endif

namespace anneal::cuda {
namespace emulation {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr unsigned kMaxThreads = 1024;
constexpr size_t kSharedBytes = 227 << 10;  // what a block may have on sm_90
constexpr uint32_t kPoison = 0x7fc0dead;    // a NaN

struct Failed {
  std::string what;
};

struct PendingCopy {
  void* to;
  const void* from;
  size_t bytes;
};

enum class State { ready, atBarrier, atWarp, done };

struct Fiber {
  Thread thread;
  State state = State::done;
  unsigned flat = 0;
  unsigned warpMask = 0;      // the lanes it waits for
  unsigned exchanges = 0;     // how many exchanges it came to
  std::array<std::array<std::byte, 64>, 2> given;  // by parity of the exchange, so that a lane that is ahead overwrites nothing
  unsigned lastMask = 0;
  std::vector<PendingCopy> copies;     // not yet committed
  std::deque<std::vector<PendingCopy>> groups;
#if defined(__x86_64__)
  void* stackPointer = nullptr;
#else
  ucontext_t context;
#endif
};

struct Place {
  const void* key;
  size_t offset, bytes;
};

// One launch at a time, so all of this is there once.
struct Machine {
  std::vector<Fiber> fibers = std::vector<Fiber>(kMaxThreads);
  std::byte* stacks = nullptr;
  std::byte* shared = nullptr;
  std::vector<Place> places;
  size_t sharedUsed = 0, dynamicBytes = 0, poisonedFrom = 0;
  unsigned count = 0;
  Fiber* running = nullptr;
  const KernelEntry* kernel = nullptr;
  const void* args = nullptr;
  std::string failure;
  bool failed = false;
#if defined(__x86_64__)
  void* scheduler = nullptr;
#else
  ucontext_t scheduler;
#endif
};

Machine& machine() {
  static Machine& made = *[] {
    auto* m = new Machine;
    m->stacks = static_cast<std::byte*>(
        mmap(nullptr, kStackBytes * kMaxThreads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    m->shared = static_cast<std::byte*>(std::aligned_alloc(256, (kSharedBytes + 255) / 256 * 256));
    return m;
  }();
  return made;
}

void poison(void* data, size_t bytes) {
  auto* words = static_cast<std::byte*>(data);
  for (size_t i = 0; i + 4 <= bytes; i += 4) std::memcpy(words + i, &kPoison, 4);
}

void yield() {
  Machine& m = machine();
#if defined(__x86_64__)
  annealSwitchFiber(&m.running->stackPointer, m.scheduler);
#else
  swapcontext(&m.running->context, &m.scheduler);
#endif
}

// A fiber's whole life; never returns.
void enterFiber() {
  Machine& m = machine();
  Fiber& self = *m.running;
  try {
    m.kernel->call(m.kernel->kernel, m.args);
    if (!self.copies.empty() || !self.groups.empty()) fail("it ended with asynchronous copies that nobody waited for");
  } catch (const Failed& failed) {
    const Thread& t = self.thread;
    char where[200];
    std::snprintf(where, sizeof where, "%s/%s, block (%u, %u, %u), thread (%u, %u, %u): ", m.kernel->room, m.kernel->name,
                  t.blockIndex.x, t.blockIndex.y, t.blockIndex.z, t.threadIndex.x, t.threadIndex.y, t.threadIndex.z);
    if (!m.failed) m.failure = where + failed.what;
    m.failed = true;
  }
  self.copies.clear();
  self.groups.clear();
  self.state = State::done;
  yield();
  std::abort();
}

void resume(Fiber& fiber) {
  Machine& m = machine();
  m.running = &fiber;
  current = &fiber.thread;
#if defined(__x86_64__)
  annealSwitchFiber(&m.scheduler, fiber.stackPointer);
#else
  swapcontext(&m.scheduler, &fiber.context);
#endif
}

void start(Fiber& fiber) {
  std::byte* const stack = machine().stacks + fiber.flat * kStackBytes;
#if defined(__x86_64__)
  // As annealSwitchFiber leaves a stack: six registers, the address to return to; then as if that had been called.
  auto* top = reinterpret_cast<void**>(stack + kStackBytes) - 3;  // 8 more than a multiple of 16, as after a call
  *top = nullptr;
  *--top = reinterpret_cast<void*>(&enterFiber);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  fiber.stackPointer = top;
#else
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = stack;
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, enterFiber, 0);
#endif
}

uint64_t nextRandom(uint64_t& state) {  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dull;
}

unsigned lanesOf(unsigned warp) {
  const unsigned left = machine().count - warp * 32;
  return left >= 32 ? 0xffffffffu : (1u << left) - 1;
}

// Lets the lanes go on that all came to the same exchange.
void releaseWarps() {
  Machine& m = machine();
  for (unsigned warp = 0; warp * 32 < m.count; ++warp) {
    Fiber* const lanes = &m.fibers[warp * 32];
    const unsigned size = std::min(32u, m.count - warp * 32);
    for (unsigned lane = 0; lane < size; ++lane) {
      if (lanes[lane].state != State::atWarp) continue;
      const unsigned mask = lanes[lane].warpMask & lanesOf(warp);
      bool all = true;
      for (unsigned other = 0; other < size; ++other)
        if ((mask >> other & 1) != 0 && !(lanes[other].state == State::atWarp && lanes[other].warpMask == lanes[lane].warpMask &&
                                         lanes[other].exchanges == lanes[lane].exchanges))
          all = false;
      if (!all) continue;
      for (unsigned other = 0; other < size; ++other)
        if ((mask >> other & 1) != 0) lanes[other].state = State::ready;
    }
  }
}

void runBlock(uint64_t& random) {
  Machine& m = machine();
  poison(m.shared, std::min(kSharedBytes, std::max(m.poisonedFrom, size_t{1024})));
  m.places.clear();
  m.sharedUsed = m.dynamicBytes;
  std::vector<unsigned> order(m.count);
  std::iota(order.begin(), order.end(), 0u);
  for (unsigned i = 0; i < m.count; ++i) start(m.fibers[i]);
  for (;;) {
    for (unsigned i = m.count; i > 1; --i) std::swap(order[i - 1], order[nextRandom(random) % i]);
    bool ran = false;
    for (const unsigned i : order) {
      if (m.fibers[i].state != State::ready) continue;
      ran = true;
      resume(m.fibers[i]);
      if (m.failed) return;
    }
    releaseWarps();
    unsigned waiting = 0, ready = 0, done = 0;
    for (unsigned i = 0; i < m.count; ++i) {
      waiting += m.fibers[i].state == State::atBarrier;
      ready += m.fibers[i].state == State::ready;
      done += m.fibers[i].state == State::done;
    }
    if (done == m.count) break;
    if (ready > 0) continue;
    if (waiting + done == m.count) {
      if (done > 0) {
        m.failed = true;
        m.failure = std::string(m.kernel->room) + "/" + m.kernel->name + ": some threads ended while others wait at a barrier";
        return;
      }
      for (unsigned i = 0; i < m.count; ++i) m.fibers[i].state = State::ready;
      continue;
    }
    if (!ran || ready == 0) {
      m.failed = true;
      m.failure = std::string(m.kernel->room) + "/" + m.kernel->name + ": threads wait for each other at different places";
      return;
    }
  }
  m.poisonedFrom = std::max(m.poisonedFrom, m.sharedUsed);
}

KernelEntry*& firstKernel() {
  static KernelEntry* first = nullptr;
  return first;
}

}  // namespace

Thread* current = nullptr;

void fail(const char* format, ...) {
  char text[300];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Failed{text};
}

void checkIndex(int64_t i, int64_t count, int64_t size) {
  if (i < 0 || i + count > size)
    fail("items %lld to %lld of an array of %lld", static_cast<long long>(i), static_cast<long long>(i + count - 1),
         static_cast<long long>(size));
}

void checkAlignment(const void* address, size_t alignment) {
  if (reinterpret_cast<uintptr_t>(address) % alignment != 0) fail("an access of %zu bytes that is not aligned", alignment);
}

void* shared(const void* place, size_t bytes) {
  Machine& m = machine();
  for (const Place& known : m.places)
    if (known.key == place) return m.shared + known.offset;
  const size_t offset = (m.sharedUsed + 15) / 16 * 16;
  if (offset - m.dynamicBytes + bytes > (48u << 10)) fail("%zu bytes of static shared memory, more than 48 KB", bytes);
  m.places.push_back({place, offset, bytes});
  m.sharedUsed = offset + bytes;
  return m.shared + offset;
}

void* dynamicShared(size_t bytes) {
  Machine& m = machine();
  if (bytes > m.dynamicBytes) fail("%zu bytes of shared memory, launched with %zu", bytes, m.dynamicBytes);
  return m.shared;
}

void syncThreads() {
  machine().running->state = State::atBarrier;
  yield();
}

unsigned laneIndex() { return machine().running->flat % 32; }

void exchange(unsigned mask, const void* value, size_t bytes) {
  Fiber& self = *machine().running;
  if ((mask >> (self.flat % 32) & 1) == 0) fail("a lane that is not in its own mask %08x", mask);
  if (bytes > 0) std::memcpy(self.given[self.exchanges % 2].data(), value, bytes);
  self.warpMask = mask;
  self.state = State::atWarp;
  yield();
  self.lastMask = mask;
  ++self.exchanges;
}

const void* laneValue(unsigned lane) {
  Machine& m = machine();
  const Fiber& self = *m.running;
  if (lane >= 32) return nullptr;
  const unsigned flat = self.flat / 32 * 32 + lane;
  if (flat >= m.count || (self.lastMask >> lane & 1) == 0) return nullptr;
  return m.fibers[flat].given[(self.exchanges - 1) % 2].data();
}

void copyAsync(void* to, const void* from, size_t bytes) {
  poison(to, bytes);
  machine().running->copies.push_back({to, from, bytes});
}

void commitCopies() {
  Fiber& self = *machine().running;
  self.groups.push_back(std::move(self.copies));
  self.copies.clear();
}

void awaitCopies(int left) {
  Fiber& self = *machine().running;
  while (self.groups.size() > static_cast<size_t>(left)) {
    for (const PendingCopy& copy : self.groups.front())
      if (copy.from == nullptr) std::memset(copy.to, 0, copy.bytes);
      else std::memcpy(copy.to, copy.from, copy.bytes);
    self.groups.pop_front();
  }
}

const KernelEntry* findKernel(const std::string& room, const std::string& name) {
  for (const KernelEntry* entry = firstKernel(); entry != nullptr; entry = entry->next)
    if (room == entry->room && name == entry->name) return entry;
  return nullptr;
}

std::optional<std::string> runKernel(const KernelEntry& kernel, const LaunchSize& size, const void* args, uint64_t seed) {
  static std::mutex one;
  const std::lock_guard lock(one);
  Machine& m = machine();
  m.count = size.block.x * size.block.y * size.block.z;
  m.kernel = &kernel;
  m.args = args;
  m.failed = false;
  m.dynamicBytes = size.sharedBytes;
  m.poisonedFrom = kSharedBytes;
  uint64_t random = seed | 1;
  for (unsigned z = 0; z < size.grid.z; ++z)
    for (unsigned y = 0; y < size.grid.y; ++y)
      for (unsigned x = 0; x < size.grid.x; ++x) {
        for (unsigned i = 0; i < m.count; ++i) {
          Fiber& fiber = m.fibers[i];
          fiber.flat = i;
          fiber.state = State::ready;
          fiber.exchanges = 0;
          fiber.copies.clear();
          fiber.groups.clear();
          fiber.thread = {{i % size.block.x, i / size.block.x % size.block.y, i / (size.block.x * size.block.y)},
                          {x, y, z}, size.block, size.grid};
        }
        runBlock(random);
        if (m.failed) return m.failure;
        if (x == 0 && y == 0 && z == 0) m.poisonedFrom = m.sharedUsed;
      }
  return std::nullopt;
}

}  // namespace emulation

void checkSpan(const void* data, int64_t size, int64_t first, int64_t count, size_t itemBytes, size_t alignment) {
  if (first < 0 || first + count > size)
    emulation::fail("items %lld to %lld of an operand of %lld", static_cast<long long>(first),
                    static_cast<long long>(first + count - 1), static_cast<long long>(size));
  emulation::checkAlignment(static_cast<const std::byte*>(data) + first * static_cast<int64_t>(itemBytes), alignment);
}

void addKernel(KernelEntry* entry) {
  entry->next = emulation::firstKernel();
  emulation::firstKernel() = entry;
}

}  // namespace anneal::cuda
