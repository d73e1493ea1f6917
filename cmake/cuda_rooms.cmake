# The .cu files, each of a room: kernels/<room>/<file>.cu. Kernels are named room/kernel.
file(GLOB cuda_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/*/*.cu)
