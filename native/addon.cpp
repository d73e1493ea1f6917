// The map of what the addon exports, nothing else.
#include "bindings/bindings.h"
#include "bindings/context.h"

namespace {

using Body = Napi::Value (*)(const Napi::CallbackInfo&);

Napi::Object init(Napi::Env env, Napi::Object exports) {
  try {
    env.SetInstanceData(new anneal::Environment(env));
  } catch (...) {
    const anneal::Failure failure = anneal::currentFailure("anneal");
    throw anneal::makeError(env, failure.code, failure.message);
  }
  anneal::Context& cpu = anneal::Environment::of(env).cpu();
  anneal::exportDevice(env, exports, cpu);
  const auto function = [&](const char* name, Body body) {
    exports.Set(name, Napi::Function::New(env, body, name, &cpu));
  };
  function("callBlock", anneal::bindCallBlock);
  function("ops", anneal::bindOps);
  function("device", anneal::bindDevice);
  function("setThreads", anneal::bindSetThreads);
  function("setIsa", anneal::bindSetIsa);
  function("augment", anneal::bindAugment);
  function("mixImages", anneal::bindMixImages);
  function("openCuda", anneal::bindOpenCuda);
  function("cudaDevices", anneal::bindCudaDevices);
  return exports;
}

}  // namespace

NODE_API_MODULE(anneal, init)
