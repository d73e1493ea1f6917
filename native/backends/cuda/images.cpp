#include "images.h"

namespace anneal::cuda {

#if defined(ANNEAL_CUDA_IMAGES)

// Written by CMake: an array for each room (cmake/cuda.cmake).
extern const Image images[];
extern const size_t imageCount;

const Image* imageOf(std::string_view file) {
  for (size_t i = 0; i < imageCount; ++i)
    if (file == images[i].file) return &images[i];
  return nullptr;
}

int toolkitVersion() { return ANNEAL_CUDA_IMAGES; }

#else

const Image* imageOf(std::string_view) { return nullptr; }
int toolkitVersion() { return 0; }

#endif

}  // namespace anneal::cuda
