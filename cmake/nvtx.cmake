# nvtx3/nvToolsExt.h of the CUDA toolkit, headers alone: names that Nsight Systems shows. Left out where it is not found.
find_path(ANNEAL_NVTX_DIR nvtx3/nvToolsExt.h HINTS $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include /usr/local/cuda/include)
