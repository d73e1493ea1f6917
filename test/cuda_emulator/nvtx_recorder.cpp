// A tool for NVTX as Nsight Systems is one, for tests: NVTX_INJECTION64_PATH names this library, and each range is a line of the file that
// ANNEAL_NVTX_RECORDING names: "push DOMAIN NAME", "pop DOMAIN".
#include <nvtx3/nvToolsExt.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::FILE* file = nullptr;
int depth = 0;

const char* nameOf(nvtxDomainHandle_t domain) { return reinterpret_cast<const char*>(domain); }

nvtxDomainHandle_t createDomain(const char* name) { return reinterpret_cast<nvtxDomainHandle_t>(strdup(name)); }

int push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* attributes) {
  std::fprintf(file, "push %s %s\n", nameOf(domain), attributes->message.ascii);
  std::fflush(file);
  return depth++;
}

int pop(nvtxDomainHandle_t domain) {
  std::fprintf(file, "pop %s\n", nameOf(domain));
  std::fflush(file);
  return --depth;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t exportTable) {
  const char* const path = std::getenv("ANNEAL_NVTX_RECORDING");
  const auto* const callbacks = static_cast<const NvtxExportTableCallbacks*>(exportTable(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (path == nullptr || callbacks == nullptr || callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) == 0 ||
      size <= NVTX_CBID_CORE2_DomainCreateA)
    return 0;
  file = std::fopen(path, "w");
  if (file == nullptr) return 0;
  *table[NVTX_CBID_CORE2_DomainCreateA] = reinterpret_cast<NvtxFunctionPointer>(createDomain);
  *table[NVTX_CBID_CORE2_DomainRangePushEx] = reinterpret_cast<NvtxFunctionPointer>(push);
  *table[NVTX_CBID_CORE2_DomainRangePop] = reinterpret_cast<NvtxFunctionPointer>(pop);
  return 1;
}
