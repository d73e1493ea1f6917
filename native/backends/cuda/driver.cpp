#include "driver.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <optional>

#include "../../core/status.h"

namespace anneal::cuda {
namespace {

Driver open() {
  const char* const chosen = std::getenv("ANNEAL_CUDA_LIBRARY");
  const bool told = chosen != nullptr && *chosen != '\0';
  const char* const path = told ? chosen : "libcuda.so.1";
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = dlerror();
    if (told) raise(Code::device, "ANNEAL_CUDA_LIBRARY cannot be opened: %s", why != nullptr ? why : path);
    raise(Code::device, "no NVIDIA driver (libcuda.so.1 was not found): install the driver of the GPU");
  }
  Driver driver;
  // A library that stays, so that nothing dangles however the process ends.
#define ANNEAL_CALL(name, arguments)                                          \
  driver.name = reinterpret_cast<Result(*) arguments>(dlsym(library, #name)); \
  if (driver.name == nullptr)                                                 \
    raise(Code::device, "the NVIDIA driver is too old (%s has no %s): install a newer one", path, #name);
  ANNEAL_CUDA_DRIVER(ANNEAL_CALL)
#undef ANNEAL_CALL
  const auto* const emulated = static_cast<const int*>(dlsym(library, "anneal_emulated_cuda"));
  driver.emulated = emulated != nullptr && *emulated != 0;
  succeed(driver, driver.cuInit(0), "cuInit");
  succeed(driver, driver.cuDriverGetVersion(&driver.version), "cuDriverGetVersion");
  return driver;
}

}  // namespace

const Driver& driver() {
  static std::mutex mutex;
  static std::optional<Driver> opened;
  const std::lock_guard lock(mutex);
  if (!opened) opened = open();
  return *opened;
}

std::string describe(const Driver& driver, Result result) {
  const char *name = nullptr, *text = nullptr;
  driver.cuGetErrorName(result, &name);
  driver.cuGetErrorString(result, &text);
  std::string message = name != nullptr ? name : "CUDA error " + std::to_string(result);
  if (text != nullptr) message.append(": ").append(text);
  return message;
}

void succeed(const Driver& driver, Result result, const char* call) {
  if (result == kSuccess) return;
  if (result == kOutOfMemory) raise(Code::oom, "out of device memory (%s)", call);
  raise(Code::device, "%s: %s", call, describe(driver, result).c_str());
}

}  // namespace anneal::cuda
