#include "context.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace anneal {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int64_t kReportStep = int64_t{1} << 20;

int defaultThreads() {
  const char* text = std::getenv("ANNEAL_NUM_THREADS");
  if (text == nullptr || *text == '\0') {
    const unsigned cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : static_cast<int>(cores);
  }
  char* end = nullptr;
  const long count = std::strtol(text, &end, 10);
  if (*end != '\0' || count < 1 || count > kMaxThreads)
    raise(Code::argument, "expected ANNEAL_NUM_THREADS in [1, %d], received '%s'", kMaxThreads, text);
  return static_cast<int>(count);
}

Isa defaultIsa() {
  const char* text = std::getenv("ANNEAL_ISA");
  if (text == nullptr || *text == '\0') return isaBest();
  for (int i = 0; i < kIsaCount; ++i) {
    const Isa isa = static_cast<Isa>(i);
    if (std::strcmp(text, isaName(isa)) != 0) continue;
    if (!isaCompiled(isa)) raise(Code::device, "ANNEAL_ISA is '%s', which this build does not contain", text);
    if (!isaRunnable(isa)) raise(Code::device, "ANNEAL_ISA is '%s', which this CPU does not have", text);
    return isa;
  }
  raise(Code::argument, "expected ANNEAL_ISA to be reference, baseline, avx2 or avx512, received '%s'", text);
}

std::string describe(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_number: return "the number " + std::to_string(value.As<Napi::Number>().DoubleValue());
    case napi_string: return "a string";
    case napi_boolean: return "a boolean";
    case napi_symbol: return "a symbol";
    case napi_bigint: return "a bigint";
    case napi_function: return "a function";
    default: return "an object";
  }
}

bool isIndex(double value) { return isInteger(value, 9007199254740991.0); }

}  // namespace

Context::Context(Napi::Env env, std::shared_ptr<CallBlock> callBlock)
    : env_(env),
      hostBuffers_(std::make_unique<BufferPool>()),
      buffers_(*hostBuffers_),
      callBlock_(std::move(callBlock)),
      isa_(defaultIsa()),
      threads_(defaultThreads()) {}

Context::Context(Napi::Env env, std::shared_ptr<CallBlock> callBlock, std::unique_ptr<DeviceQueue> queue, BufferPool& buffers)
    : env_(env),
      buffers_(buffers),
      callBlock_(std::move(callBlock)),
      queue_(std::move(queue)),
      isa_(isaBest()),
      threads_(1) {
  startSettling();
}

Context::~Context() { close(); }

void Context::close() {
  queue_.reset();  // joins the thread: after this nobody calls the settler
  settler_.reset();
}

void Context::closeBeforeEnvironment(void* context) { static_cast<Context*>(context)->close(); }

void Context::startSettling() {
  settler_ = std::make_unique<Settler>(env_);
  // Hooks run in reverse order, so this one stops the thread before the environment frees the callback it calls.
  napi_add_env_cleanup_hook(env_, closeBeforeEnvironment, this);
}

DeviceQueue& Context::queue() {
  if (queue_) return *queue_;
  startSettling();
  auto queue = std::make_unique<Queue>(threads_, buffers_);
  cpu_ = queue.get();
  queue_ = std::move(queue);
  return *queue_;
}

void Context::setThreads(int threads) {
  if (threads < 1 || threads > kMaxThreads)
    raise(Code::argument, "expected threads in [1, %d], received %d", kMaxThreads, threads);
  threads_ = threads;
  if (cpu_ != nullptr && cpu_->threads() != threads) cpu_->setThreads(threads);
}

Napi::Promise Context::settleWhenDone(Napi::Value value) {
  DeviceQueue& q = queue();
  Settler::Pending* token = nullptr;
  Napi::Promise promise = settler_->add(value, token);
  q.linger(q.push(FenceRecord{Settler::done, settler_.get(), token}));
  return promise;
}

Napi::Value Context::callBlockArray(Napi::Env env) {
  napi_value array = nullptr;
  if (callBlockArray_ == nullptr) {
    // The array may outlive this context, and this context an array whose memory was transferred: each owns a share.
    auto share = std::make_unique<std::shared_ptr<CallBlock>>(callBlock_);
    const auto release = [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<CallBlock>*>(hint); };
    if (napi_create_external_arraybuffer(env, callBlock_.get(), sizeof(CallBlock), release, share.get(), &array) !=
        napi_ok)
      raise(Code::internal, "the call block could not be shared");
    share.release();
    if (napi_create_reference(env, array, 1, &callBlockArray_) != napi_ok)
      raise(Code::internal, "a reference could not be made");
  } else {
    napi_get_reference_value(env, callBlockArray_, &array);
  }
  return {env, array};
}

void Context::reportMemory(Napi::Env env, size_t collected) {
  wantedBytes_ = std::max(wantedBytes_ - collected, buffers_.stats().liveBytes);
  const int64_t change = static_cast<int64_t>(wantedBytes_) - reportedBytes_;
  if (std::llabs(change) < kReportStep) return;
  reportedBytes_ += change;
  Napi::MemoryManagement::AdjustExternalMemory(env, change);
}

BufferRef Context::resolve(const Operand& operand, uint32_t i, BufferPool::Buffer*& owner) {
  owner = nullptr;
  if (operand.handle == 0) return {nullptr, 0};
  if (!isIndex(operand.handle) || !isIndex(operand.byteOffset) || !isIndex(operand.byteLength))
    raise(Code::argument, "expected operand %u to be three integers (handle, byteOffset, byteLength)", i);
  BufferPool::Buffer& buffer = buffers_.get(static_cast<BufferPool::Handle>(operand.handle));
  const auto offset = static_cast<uint64_t>(operand.byteOffset);
  const auto bytes = static_cast<uint64_t>(operand.byteLength);
  if (offset > buffer.bytes || bytes > buffer.bytes - offset)
    raise(Code::range, "expected operand %u within its buffer of %zu bytes, received %llu bytes at %llu", i,
          buffer.bytes, static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(offset));
  owner = &buffer;
  return {buffer.block.data + offset, static_cast<size_t>(bytes)};
}

uint32_t Context::addPlan(std::shared_ptr<const Plan> plan) {
  plans_.emplace(++lastPlan_, std::move(plan));
  return lastPlan_;
}

const std::shared_ptr<const Plan>& Context::plan(uint32_t id) const {
  const auto found = plans_.find(id);
  if (found == plans_.end()) raise(Code::disposed, "expected a live plan, received one that was freed or never was");
  return found->second;
}

void Context::freePlan(uint32_t id) {
  const std::shared_ptr<const Plan> freed = plan(id);
  plans_.erase(id);
  if (queue_) queue_->forget(*freed);
}

Napi::Error makeError(Napi::Env env, Code code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("name", Napi::String::New(env, "AnnealError"));
  error.Set("code", Napi::String::New(env, codeName(code)));
  return error;
}

uint64_t integerArgument(const Napi::CallbackInfo& info, size_t i, const char* name, uint64_t max) {
  const Napi::Value value = info[i];
  if (!value.IsNumber()) raise(Code::argument, "expected %s to be an integer, received %s", name, describe(value).c_str());
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!isInteger(number, static_cast<double>(max)))
    raise(Code::argument, "expected %s to be an integer in [0, %llu], received %g", name,
          static_cast<unsigned long long>(max), number);
  return static_cast<uint64_t>(number);
}

BufferPool::Handle handleArgument(const Napi::CallbackInfo& info, size_t i) {
  return integerArgument(info, i, "handle", (uint64_t{1} << 53) - 1);
}

Bytes bytesArgument(const Napi::CallbackInfo& info, size_t i, const char* name) {
  const napi_env env = info.Env();
  const napi_value value = info[i];
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) == napi_ok) {
    size_t item = 1;
    switch (type) {
      case napi_int16_array:
      case napi_uint16_array: item = 2; break;
      case napi_int32_array:
      case napi_uint32_array:
      case napi_float32_array: item = 4; break;
      case napi_float64_array:
      case napi_bigint64_array:
      case napi_biguint64_array: item = 8; break;
      default: break;
    }
    if (data == nullptr || length == 0) {
      napi_value buffer = nullptr;
      bool detached = false;
      if (napi_get_typedarray_info(env, value, nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
          napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached)
        raise(Code::argument, "expected %s to be a typed array, received one whose buffer was detached", name);
      return {nullptr, 0};
    }
    return {static_cast<std::byte*>(data), length * item};
  }
  raise(Code::argument, "expected %s to be a typed array, received %s", name, describe(info[i]).c_str());
}

Bytes typedArgument(const Napi::CallbackInfo& info, size_t i, const char* name, napi_typedarray_type type,
                    const char* typeName) {
  const Napi::Value value = info[i];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    raise(Code::argument, "expected %s to be a %s", name, typeName);
  return bytesArgument(info, i, name);
}

}  // namespace anneal
