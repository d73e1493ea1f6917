// The CUDA driver API, as far as it is used here, opened at run time: nothing of CUDA is needed to build the addon or to load it.
// Types, values and names are those of NVIDIA's cuda.h ("CUDA Driver API", docs.nvidia.com/cuda/cuda-driver-api); the entry
// points are those that every driver since CUDA 11.4 exports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace anneal::cuda {

using Result = int;       // CUresult
using DeviceId = int;     // CUdevice
using Pointer = uint64_t; // CUdeviceptr
using Context = struct ContextOpaque*;
using Module = struct ModuleOpaque*;
using Function = struct FunctionOpaque*;
using Stream = struct StreamOpaque*;
using Event = struct EventOpaque*;
using MemoryPool = struct MemoryPoolOpaque*;
using Graph = struct GraphOpaque*;
using GraphNode = struct GraphNodeOpaque*;
using GraphExec = struct GraphExecOpaque*;

constexpr Result kSuccess = 0;
constexpr Result kOutOfMemory = 2;
constexpr Result kNoDevice = 100;
constexpr Result kNoBinaryForGpu = 209;
constexpr Result kNotReady = 600;

// CUdevice_attribute
enum class Attribute : int {
  maxSharedMemoryPerBlock = 8,
  multiprocessorCount = 16,
  clockRate = 13,
  memoryClockRate = 36,
  memoryBusWidth = 37,
  l2CacheSize = 38,
  computeCapabilityMajor = 75,
  computeCapabilityMinor = 76,
  maxSharedMemoryPerMultiprocessor = 81,
  maxSharedMemoryPerBlockOptin = 97,
  memoryPoolsSupported = 115,
};

constexpr int kMaxDynamicSharedSize = 8;           // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
constexpr int kPoolReleaseThreshold = 4;           // CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
constexpr unsigned kStreamNonBlocking = 1;         // CU_STREAM_NON_BLOCKING
constexpr unsigned kEventBlockingSync = 1;         // CU_EVENT_BLOCKING_SYNC
constexpr unsigned kEventDisableTiming = 2;        // CU_EVENT_DISABLE_TIMING

// CUDA_KERNEL_NODE_PARAMS_v1
struct KernelNodeParams {
  Function function;
  unsigned gridX, gridY, gridZ;
  unsigned blockX, blockY, blockZ;
  unsigned sharedBytes;
  void** kernelParams;
  void** extra;
};

#define ANNEAL_CUDA_DRIVER(CALL)                                                                                        \
  CALL(cuInit, (unsigned flags))                                                                                        \
  CALL(cuDriverGetVersion, (int* version))                                                                              \
  CALL(cuGetErrorName, (Result error, const char** text))                                                               \
  CALL(cuGetErrorString, (Result error, const char** text))                                                             \
  CALL(cuDeviceGetCount, (int* count))                                                                                  \
  CALL(cuDeviceGet, (DeviceId * device, int ordinal))                                                                   \
  CALL(cuDeviceGetName, (char* name, int length, DeviceId device))                                                      \
  CALL(cuDeviceGetAttribute, (int* value, Attribute attribute, DeviceId device))                                        \
  CALL(cuDeviceTotalMem_v2, (size_t* bytes, DeviceId device))                                                           \
  CALL(cuDevicePrimaryCtxRetain, (Context * context, DeviceId device))                                                  \
  CALL(cuDevicePrimaryCtxRelease_v2, (DeviceId device))                                                                 \
  CALL(cuDevicePrimaryCtxReset_v2, (DeviceId device))                                                                   \
  CALL(cuCtxSetCurrent, (Context context))                                                                              \
  CALL(cuModuleLoadData, (Module * module, const void* image))                                                          \
  CALL(cuModuleUnload, (Module module))                                                                                 \
  CALL(cuModuleGetFunction, (Function * function, Module module, const char* name))                                     \
  CALL(cuFuncSetAttribute, (Function function, int attribute, int value))                                               \
  CALL(cuMemAlloc_v2, (Pointer * pointer, size_t bytes))                                                                \
  CALL(cuMemFree_v2, (Pointer pointer))                                                                                 \
  CALL(cuMemAllocAsync, (Pointer * pointer, size_t bytes, Stream stream))                                               \
  CALL(cuMemFreeAsync, (Pointer pointer, Stream stream))                                                                \
  CALL(cuDeviceGetDefaultMemPool, (MemoryPool * pool, DeviceId device))                                                 \
  CALL(cuMemPoolSetAttribute, (MemoryPool pool, int attribute, void* value))                                            \
  CALL(cuMemPoolTrimTo, (MemoryPool pool, size_t keep))                                                                 \
  CALL(cuMemHostAlloc, (void** pointer, size_t bytes, unsigned flags))                                                  \
  CALL(cuMemFreeHost, (void* pointer))                                                                                  \
  CALL(cuMemcpyHtoDAsync_v2, (Pointer to, const void* from, size_t bytes, Stream stream))                               \
  CALL(cuMemcpyDtoHAsync_v2, (void* to, Pointer from, size_t bytes, Stream stream))                                     \
  CALL(cuMemsetD8Async, (Pointer to, unsigned char value, size_t bytes, Stream stream))                                 \
  CALL(cuStreamCreate, (Stream * stream, unsigned flags))                                                               \
  CALL(cuStreamDestroy_v2, (Stream stream))                                                                             \
  CALL(cuStreamSynchronize, (Stream stream))                                                                            \
  CALL(cuStreamWaitEvent, (Stream stream, Event event, unsigned flags))                                                 \
  CALL(cuEventCreate, (Event * event, unsigned flags))                                                                  \
  CALL(cuEventRecord, (Event event, Stream stream))                                                                     \
  CALL(cuEventQuery, (Event event))                                                                                     \
  CALL(cuEventSynchronize, (Event event))                                                                               \
  CALL(cuEventElapsedTime, (float* milliseconds, Event start, Event end))                                               \
  CALL(cuEventDestroy_v2, (Event event))                                                                                \
  CALL(cuLaunchKernel, (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,             \
                        unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream stream, void** params,           \
                        void** extra))                                                                                  \
  CALL(cuGraphCreate, (Graph * graph, unsigned flags))                                                                  \
  CALL(cuGraphAddKernelNode, (GraphNode * node, Graph graph, const GraphNode* after, size_t count,                      \
                              const KernelNodeParams* params))                                                          \
  CALL(cuGraphInstantiateWithFlags, (GraphExec * exec, Graph graph, unsigned long long flags))                          \
  CALL(cuGraphExecKernelNodeSetParams, (GraphExec exec, GraphNode node, const KernelNodeParams* params))                \
  CALL(cuGraphLaunch, (GraphExec exec, Stream stream))                                                                  \
  CALL(cuGraphExecDestroy, (GraphExec exec))                                                                            \
  CALL(cuGraphDestroy, (Graph graph))

struct Driver {
#define ANNEAL_CALL(name, arguments) Result(*name) arguments = nullptr;
  ANNEAL_CUDA_DRIVER(ANNEAL_CALL)
#undef ANNEAL_CALL
  int version = 0;        // 12040 is 12.4
  bool emulated = false;  // the library says so of itself
};

// The process's driver, initialised, from `libcuda.so.1` or what ANNEAL_CUDA_LIBRARY names. Raises E_DEVICE with the reason where
// there is none. A driver that was opened stays open.
const Driver& driver();

// "CUDA_ERROR_INVALID_VALUE: invalid argument"
std::string describe(const Driver& driver, Result result);

// Raises unless the call succeeded: E_OOM for want of memory, else E_DEVICE, as "cuMemAlloc: CUDA_ERROR_...: ...".
void succeed(const Driver& driver, Result result, const char* call);

// Results after which nothing of the context can be used any more.
constexpr bool isSticky(Result result) {
  switch (result) {
    case 214:  // CUDA_ERROR_ECC_UNCORRECTABLE
    case 700:  // CUDA_ERROR_ILLEGAL_ADDRESS
    case 702:  // CUDA_ERROR_LAUNCH_TIMEOUT
    case 709:  // CUDA_ERROR_CONTEXT_IS_DESTROYED
    case 710:  // CUDA_ERROR_ASSERT
    case 714:  // CUDA_ERROR_HARDWARE_STACK_ERROR
    case 715:  // CUDA_ERROR_ILLEGAL_INSTRUCTION
    case 716:  // CUDA_ERROR_MISALIGNED_ADDRESS
    case 717:  // CUDA_ERROR_INVALID_ADDRESS_SPACE
    case 718:  // CUDA_ERROR_INVALID_PC
    case 719:  // CUDA_ERROR_LAUNCH_FAILED
    case 999:  // CUDA_ERROR_UNKNOWN
      return true;
    default: return false;
  }
}

}  // namespace anneal::cuda
