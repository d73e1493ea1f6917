#include "bindings.h"
#include "context.h"

namespace anneal {

void exportDevice(Napi::Env env, Napi::Object object, Context& context) {
  const auto function = [&](const char* name, Napi::Value (*body)(const Napi::CallbackInfo&)) {
    object.Set(name, Napi::Function::New(env, body, name, &context));
  };
  function("alloc", bindAlloc);
  function("free", bindFree);
  function("write", bindWrite);
  function("read", bindRead);
  function("readSync", bindReadSync);
  function("run", bindRun);
  function("planCreate", bindPlanCreate);
  function("planRun", bindPlanRun);
  function("planFree", bindPlanFree);
  function("time", bindTime);
  function("sync", bindSync);
  function("wait", bindWait);
  function("submitted", bindSubmitted);
  function("profileStart", bindProfileStart);
  function("profileNow", bindProfileNow);
  function("profileStop", bindProfileStop);
  function("queued", bindQueued);
  function("memory", bindMemory);
  function("trim", bindTrim);
  function("failAllocation", bindFailAllocation);
  function("failOp", bindFailOp);
  function("failScratch", bindFailScratch);
  // The hot path goes without the wrapper, which collects arguments that these do not have.
  const auto plain = [&](const char* name, napi_callback body) {
    napi_value made = nullptr;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, body, &context, &made) == napi_ok) object.Set(name, made);
  };
  plain("submit", bindSubmit);
  plain("checkCall", bindCheckCall);
}

}  // namespace anneal
