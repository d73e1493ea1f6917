// The kernels of each .cu file, compiled by nvcc and embedded as a fat binary (cubins and PTX); none in a build without nvcc.
#pragma once

#include <cstddef>
#include <string_view>

namespace anneal::cuda {

struct Image {
  const char* file;
  const unsigned char* data;
};

// Null where the build has no kernels of that file (its name without .cu).
const Image* imageOf(std::string_view file);
// The version of the toolkit that made them, 13000 for 13.0; 0 in a build without nvcc.
int toolkitVersion();

}  // namespace anneal::cuda
