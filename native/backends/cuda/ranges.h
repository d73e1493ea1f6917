// Ranges by name that NVIDIA's tools show (NVTX, of the toolkit's headers alone): a tool that starts the process names its library in
// NVTX_INJECTION64_PATH, and that is loaded at the first call here. Without a tool, or in a build without the headers, nothing happens.
// Ranges nest, on each thread by itself.
#pragma once

namespace anneal::cuda {

// Whether the build has the headers.
bool rangesCompiled();
// Whether a tool takes them.
bool rangesWatched();
void pushRange(const char* name);
void popRange();

// A range for as long as it lives; null: none.
class RangeScope {
 public:
  explicit RangeScope(const char* name) : open_(name != nullptr) {
    if (open_) pushRange(name);
  }
  ~RangeScope() {
    if (open_) popRange();
  }
  RangeScope(const RangeScope&) = delete;
  RangeScope& operator=(const RangeScope&) = delete;

 private:
  const bool open_;
};

}  // namespace anneal::cuda
