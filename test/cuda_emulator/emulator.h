// Runs an emulated kernel: what the emulated driver needs of emulator.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "emulation.h"

namespace anneal::cuda::emulation {

const KernelEntry* findKernel(const std::string& room, const std::string& name);

struct LaunchSize {
  dim3 grid, block;
  size_t sharedBytes;
};

// Runs all blocks one after the other; gives what went wrong, in words. One launch at a time in the process.
std::optional<std::string> runKernel(const KernelEntry& kernel, const LaunchSize& size, const void* args, uint64_t seed);

}  // namespace anneal::cuda::emulation
