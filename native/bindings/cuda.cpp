#include "../backends/cuda/device.h"
#include "../backends/cuda/images.h"
#include "../backends/cuda/ranges.h"
#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

cuda::Device& deviceOf(const Napi::CallbackInfo& info) {
  return static_cast<cuda::Device&>(Context::of(info).queue());
}

// (name) sets the precision of products
Napi::Value bindSetPrecision(const Napi::CallbackInfo& info) {
  return guarded(info, "setPrecision", [&]() -> Napi::Value {
    const std::string name = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    cuda::Device& device = deviceOf(info);
    if (name != "f32" && name != "tf32" && name != "bf16")
      raise(Code::argument, "expected a precision of 'f32', 'tf32' or 'bf16', received '%.40s'", name.c_str());
    if (name != "f32" && !device.traits().atLeast(80))
      raise(Code::device, "expected compute capability 8.0 or later for '%s', received %d.%d", name.c_str(),
            device.traits().major, device.traits().minor);
    device.setPrecision(name == "tf32"   ? cuda::Precision::tf32
                        : name == "bf16" ? cuda::Precision::bf16
                                         : cuda::Precision::f32);
    return info.Env().Undefined();
  });
}

// () -> { graphs, changes }: CUDA graphs made for plans so far, and kernels in them that got other arguments
Napi::Value bindGraphs(const Napi::CallbackInfo& info) {
  return guarded(info, "graphs", [&]() -> Napi::Value {
    const cuda::GraphCounts counts = deviceOf(info).graphCounts();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("made", static_cast<double>(counts.made));
    object.Set("changed", static_cast<double>(counts.changed));
    return object;
  });
}

// () -> whether a tool takes ranges
Napi::Value bindRangesWatched(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), cuda::rangesWatched());
}

// (name) begins a range on this thread
Napi::Value bindPushRange(const Napi::CallbackInfo& info) {
  return guarded(info, "pushRange", [&]() -> Napi::Value {
    if (!info[0].IsString()) raise(Code::argument, "expected the name of a range, received none");
    cuda::pushRange(info[0].As<Napi::String>().Utf8Value().c_str());
    return info.Env().Undefined();
  });
}

// () ends the innermost range of this thread
Napi::Value bindPopRange(const Napi::CallbackInfo& info) {
  cuda::popRange();
  return info.Env().Undefined();
}

}  // namespace

Napi::Value bindCudaDevices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  int count = 0;
  std::string reason;
  bool emulated = false;
  try {
    count = cuda::deviceCount();
    emulated = cuda::driver().emulated;
    if (count == 0) reason = "the NVIDIA driver finds no GPU";
  } catch (...) {
    reason = currentFailure("cuda").message;
  }
  object.Set("count", count);
  object.Set("reason", reason);
  object.Set("emulated", emulated);
  object.Set("toolkit", cuda::toolkitVersion());
  object.Set("nvtx", cuda::rangesCompiled());
  return object;
}

Napi::Value bindOpenCuda(const Napi::CallbackInfo& info) {
  return guarded(info, "cuda", [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    auto device = std::make_unique<cuda::Device>(static_cast<int>(integerArgument(info, 0, "ordinal", 1023)));
    cuda::Device& opened = *device;
    Context& context = Environment::of(env).open(env, std::move(device), opened.buffers());
    Napi::Object object = Napi::Object::New(env);
    exportDevice(env, object, context);
    object.Set("setPrecision", Napi::Function::New(env, bindSetPrecision, "setPrecision", &context));
    object.Set("graphs", Napi::Function::New(env, bindGraphs, "graphs", &context));
    object.Set("rangesWatched", Napi::Function::New(env, bindRangesWatched, "rangesWatched"));
    object.Set("pushRange", Napi::Function::New(env, bindPushRange, "pushRange"));
    object.Set("popRange", Napi::Function::New(env, bindPopRange, "popRange"));
    const cuda::Traits& traits = opened.traits();
    const cuda::DeviceFacts& facts = opened.facts();
    Napi::Object about = Napi::Object::New(env);
    about.Set("name", facts.name);
    about.Set("computeCapability", traits.major * 10 + traits.minor);
    about.Set("multiprocessors", traits.multiprocessors);
    about.Set("memoryBytes", static_cast<double>(facts.memoryBytes));
    about.Set("clockKilohertz", facts.clockKilohertz);
    about.Set("memoryClockKilohertz", facts.memoryClockKilohertz);
    about.Set("memoryBusBits", facts.memoryBusBits);
    about.Set("driver", cuda::driver().version);
    about.Set("emulated", cuda::driver().emulated);
    object.Set("about", about);
    return object;
  });
}

}  // namespace anneal
