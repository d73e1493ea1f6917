#include "world.h"

#include <cstdio>
#include <cstdlib>

namespace anneal::cuda {

int64_t setting(const char* variable, int64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoll(text, nullptr, 10);
}

World& world() {
  static World& made = *new World;
  return made;
}

Result asked(const char* name, bool ofContext) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  const char* const text = std::getenv("ANNEAL_CUDA_EMULATOR_FAIL");
  if (text != nullptr) {
    const std::string wish = text;
    const size_t first = wish.find(':'), second = wish.find(':', first + 1);
    if (first != std::string::npos && second != std::string::npos && wish.substr(0, first) == name) {
      auto& [known, left] = w.failing[name];
      if (known != wish) {
        known = wish;
        left = std::strtoll(wish.c_str() + first + 1, nullptr, 10);
      }
      if (left > 0 && --left == 0) {
        const auto result = static_cast<Result>(std::strtol(wish.c_str() + second + 1, nullptr, 10));
        if (ofContext && isSticky(result)) w.sticky = result;
        return result;
      }
    }
  } else {
    w.failing.clear();
  }
  if (!w.initialised && std::string(name) != "cuInit") return kNotInitialized;
  return ofContext ? w.sticky.load() : kSuccess;
}

bool live(const std::set<const void*>& set, const void* handle) {
  const std::lock_guard lock(world().mutex);
  return set.count(handle) != 0;
}

void add(std::set<const void*>& set, const void* handle) {
  const std::lock_guard lock(world().mutex);
  set.insert(handle);
}

bool remove(std::set<const void*>& set, const void* handle) {
  const std::lock_guard lock(world().mutex);
  return set.erase(handle) != 0;
}

bool within(Pointer pointer, size_t bytes) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  auto found = w.allocations.upper_bound(pointer);
  if (found == w.allocations.begin()) return false;
  --found;
  return pointer - found->first <= found->second && bytes <= found->second - (pointer - found->first);
}

void failForGood(Result result, const std::string& what) {
  World& w = world();
  {
    const std::lock_guard lock(w.mutex);
    if (w.sticky == kSuccess) w.what = what;
  }
  w.sticky = result;
}

void execute(const KernelNode& node) {
  World& w = world();
  if (w.sticky != kSuccess) return;
  uint64_t seed;
  {
    const std::lock_guard lock(w.mutex);
    seed = w.seed = w.seed * 6364136223846793005ull + 1442695040888963407ull;
  }
  if (const auto failure = emulation::runKernel(*node.kernel, node.size, node.args.data(), seed)) {
    std::fprintf(stderr, "emulated CUDA: %s\n", failure->c_str());
    failForGood(kIllegalAddress, *failure);
  }
}

Result nodeOf(const KernelNodeParams& p, KernelNode& node) {
  const auto* const kernel = reinterpret_cast<const KernelEntry*>(p.function);
  const uint64_t threads = uint64_t{p.blockX} * p.blockY * p.blockZ;
  if (kernel == nullptr || p.kernelParams == nullptr) return kInvalidValue;
  if (p.gridX == 0 || p.gridY == 0 || p.gridZ == 0 || threads == 0 || threads > 1024 || p.blockZ > 64) return kInvalidValue;
  if (p.gridX > 0x7fffffffu || p.gridY > 65535 || p.gridZ > 65535 || p.sharedBytes > kSharedPerBlock) return kInvalidValue;
  const auto* const args = static_cast<const std::byte*>(p.kernelParams[0]);
  node = {kernel, {{p.gridX, p.gridY, p.gridZ}, {p.blockX, p.blockY, p.blockZ}, p.sharedBytes}, {args, args + kernel->argBytes}};
  return kSuccess;
}

}  // namespace anneal::cuda
