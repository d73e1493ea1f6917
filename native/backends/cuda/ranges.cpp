#include "ranges.h"

#if __has_include(<nvtx3/nvToolsExt.h>)

#include <nvtx3/nvToolsExt.h>

namespace anneal::cuda {
namespace {

// "anneal"; null where no tool is attached.
nvtxDomainHandle_t domain() {
  static const nvtxDomainHandle_t made = nvtxDomainCreateA("anneal");
  return made;
}

}  // namespace

bool rangesCompiled() { return true; }
bool rangesWatched() { return domain() != nullptr; }

void pushRange(const char* name) {
  if (!rangesWatched()) return;
  nvtxEventAttributes_t attributes{};
  attributes.version = NVTX_VERSION;
  attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
  attributes.message.ascii = name;
  nvtxDomainRangePushEx(domain(), &attributes);
}

void popRange() {
  if (rangesWatched()) nvtxDomainRangePop(domain());
}

}  // namespace anneal::cuda

#else

namespace anneal::cuda {

bool rangesCompiled() { return false; }
bool rangesWatched() { return false; }
void pushRange(const char*) {}
void popRange() {}

}  // namespace anneal::cuda

#endif
