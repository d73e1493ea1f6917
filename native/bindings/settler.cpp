#include "settler.h"

#include "context.h"

namespace anneal {
namespace {

// Of calls in a row. A turn of the event loop costs a few microseconds, so this is also what keeps small steps fast.
constexpr std::chrono::microseconds kTurn{500};

}  // namespace

struct Settler::Pending {
  napi_deferred deferred = nullptr;
  napi_ref value = nullptr;  // null: resolve with undefined
  std::optional<Failure> failure;
};

Settler::Settler(napi_env env) : env_(env) {
  napi_value name = Napi::String::New(env, "anneal");
  for (napi_threadsafe_function& function : functions_) {
    if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, &Settler::settle,
                                        &function) != napi_ok) {
      if (functions_[0] != nullptr && function == nullptr) napi_release_threadsafe_function(functions_[0], napi_tsfn_abort);
      raise(Code::internal, "the queue's callback could not be made");
    }
    napi_unref_threadsafe_function(env, function);
  }
}

Settler::~Settler() {
  for (napi_threadsafe_function function : functions_) napi_release_threadsafe_function(function, napi_tsfn_abort);
}

Napi::Promise Settler::add(Napi::Value value, Pending*& token) {
  auto pending = std::make_unique<Pending>();
  napi_value promise = nullptr;
  if (napi_create_promise(env_, &pending->deferred, &promise) != napi_ok)
    raise(Code::internal, "a promise could not be made");
  if (!value.IsEmpty() && napi_create_reference(env_, value, 1, &pending->value) != napi_ok)
    raise(Code::internal, "a reference could not be made");
  // One of the two is enough to keep the event loop alive, and a loop that is alive serves both.
  if (pending_.empty()) napi_ref_threadsafe_function(env_, functions_[0]);
  token = pending.get();
  pending_.push_back(std::move(pending));
  return Napi::Value(env_, promise).As<Napi::Promise>();
}

void Settler::done(void* settler, void* token, std::optional<Failure> failure) {
  auto& self = *static_cast<Settler*>(settler);
  static_cast<Pending*>(token)->failure = std::move(failure);
  const size_t which = self.next_.load(std::memory_order_relaxed);
  napi_call_threadsafe_function(self.functions_[which], reinterpret_cast<void*>(which), napi_tsfn_nonblocking);
}

void Settler::settle(napi_env env, napi_value, void* settler, void* which) {
  if (env == nullptr) return;  // the environment is going away, and `settler` may be gone
  static_cast<Settler*>(settler)->settleFirst(env, reinterpret_cast<size_t>(which));
}

void Settler::settleFirst(napi_env env, size_t which) {
  const Clock::time_point now = Clock::now();
  if (which != running_) {
    running_ = which;
    since_ = now;
  } else if (now - since_ > kTurn) {
    next_.store(1 - which, std::memory_order_relaxed);
  }
  // As many are done as there are calls, and they are done in their order: where calls of the two functions overtake each
  // other, the first one is done all the same.
  const std::unique_ptr<Pending> pending = std::move(pending_.front());
  pending_.pop_front();
  if (pending_.empty()) napi_unref_threadsafe_function(env, functions_[0]);

  napi_value value = nullptr;
  if (pending->value != nullptr) {
    napi_get_reference_value(env, pending->value, &value);
    napi_delete_reference(env, pending->value);
  } else {
    napi_get_undefined(env, &value);
  }
  if (pending->failure)
    napi_reject_deferred(env, pending->deferred, makeError(env, pending->failure->code, pending->failure->message).Value());
  else
    napi_resolve_deferred(env, pending->deferred, value);
}

}  // namespace anneal
