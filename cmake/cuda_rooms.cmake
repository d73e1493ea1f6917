# The .cu files: kernels/<room>/<file>.cu. Kernels are named file/kernel.
file(GLOB cuda_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/*/*.cu)
