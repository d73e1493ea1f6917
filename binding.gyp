# The addon by node-gyp, for machines without CMake. Sources come from native/sources.json, as for CMakeLists.txt.
{
  "variables": {
    "sources_of": "node -p \"process.argv.slice(1).flatMap((key) => require('./native/sources.json')[key]).join(' ')\"",
    "werror%": "<!(node -p \"process.env.ANNEAL_WERROR === 'ON' ? '-Werror' : '-Wno-error'\")",
  },
  "target_defaults": {
    # Node's own defaults switch exceptions and RTTI off and choose an older standard.
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-Wall", "-Wextra", "<(werror)"],
    "xcode_settings": {
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_ENABLE_CPP_RTTI": "YES",
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "CLANG_CXX_LIBRARY": "libc++",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
    },
    "conditions": [
      ["target_arch=='x64'", {"defines": ["ANNEAL_HAVE_BASELINE", "ANNEAL_HAVE_AVX2", "ANNEAL_HAVE_AVX512"]}],
      ["target_arch=='arm64'", {"defines": ["ANNEAL_HAVE_BASELINE"]}],
    ],
  },
  "targets": [
    {
      "target_name": "anneal_kernels_baseline",
      "type": "static_library",
      "sources": ["<!@(<(sources_of) kernels)"],
      "defines": ["ANNEAL_ISA=baseline"],
      "cflags_cc": ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"],
      "xcode_settings": {
        "OTHER_CPLUSPLUSFLAGS": ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"],
      },
    },
    {
      "target_name": "anneal",
      "sources": ["<!@(<(sources_of) core contracts cuda bindings)"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "include_dirs": [
        "<!(node -p \"require('node-addon-api').include_dir\")",
        "<!(node -p \"require('node-api-headers').include_dir\")",
      ],
      "dependencies": ["anneal_kernels_baseline"],
      "conditions": [
        ["target_arch=='x64'", {"dependencies": ["anneal_kernels_avx2", "anneal_kernels_avx512"]}],
      ],
      "libraries": ["-lpthread", "-ldl"],
    },
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "anneal_kernels_avx2",
          "type": "static_library",
          "sources": ["<!@(<(sources_of) kernels)"],
          "defines": ["ANNEAL_ISA=avx2"],
          "cflags_cc": ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-mavx2", "-mfma", "-mf16c"],
          "xcode_settings": {
            "OTHER_CPLUSPLUSFLAGS": ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
              "-mavx2", "-mfma", "-mf16c"],
          },
        },
        {
          "target_name": "anneal_kernels_avx512",
          "type": "static_library",
          "sources": ["<!@(<(sources_of) kernels)"],
          "defines": ["ANNEAL_ISA=avx512"],
          "cflags_cc": ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-mavx512f",
            "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mf16c", "-mprefer-vector-width=512"],
          "xcode_settings": {
            "OTHER_CPLUSPLUSFLAGS": ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-mavx512f",
              "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mf16c", "-mprefer-vector-width=512"],
          },
        },
      ],
    }],
  ],
}
