// The map of what the addon exports, nothing else.
#include "bindings/bindings.h"
#include "bindings/context.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  try {
    env.SetInstanceData(new anneal::Context(env));
  } catch (...) {
    const anneal::Failure failure = anneal::currentFailure("anneal");
    throw anneal::makeError(env, failure.code, failure.message);
  }
  const auto function = [&](const char* name, Napi::Value (*body)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, body, name));
  };
  function("alloc", anneal::bindAlloc);
  function("free", anneal::bindFree);
  function("write", anneal::bindWrite);
  function("read", anneal::bindRead);
  function("readSync", anneal::bindReadSync);
  function("run", anneal::bindRun);
  function("callBlock", anneal::bindCallBlock);
  function("planCreate", anneal::bindPlanCreate);
  function("planRun", anneal::bindPlanRun);
  function("planFree", anneal::bindPlanFree);
  function("time", anneal::bindTime);
  function("sync", anneal::bindSync);
  function("wait", anneal::bindWait);
  function("submitted", anneal::bindSubmitted);
  function("profileStart", anneal::bindProfileStart);
  function("profileNow", anneal::bindProfileNow);
  function("profileStop", anneal::bindProfileStop);
  function("queued", anneal::bindQueued);
  function("memory", anneal::bindMemory);
  function("trim", anneal::bindTrim);
  function("ops", anneal::bindOps);
  function("device", anneal::bindDevice);
  function("setThreads", anneal::bindSetThreads);
  function("setIsa", anneal::bindSetIsa);
  function("failAllocation", anneal::bindFailAllocation);
  function("failOp", anneal::bindFailOp);
  function("failScratch", anneal::bindFailScratch);
  // The hot path goes without the wrapper, which collects arguments that these do not have.
  const auto plain = [&](const char* name, napi_callback body) {
    napi_value made = nullptr;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, body, nullptr, &made) == napi_ok) exports.Set(name, made);
  };
  plain("submit", anneal::bindSubmit);
  plain("checkCall", anneal::bindCheckCall);
  return exports;
}

}  // namespace

NODE_API_MODULE(anneal, init)
