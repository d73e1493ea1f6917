// Runs op cases without Node: `conformance [--pages] <cases> <instruction set>...`. For cross-compiled kernels under an
// emulator, for kernels under a sanitizer, and, with --pages, for kernels as they are shipped: on operands that end right
// before, and then begin right after, a page that cannot be touched. A kernel that does ends its process, a child, and the
// case has failed; another child goes on with the next case.
//
// test/package/native/cases.ts writes the case file; all numbers in it are little endian:
//   u32 number of cases, then for each
//     string op, string name                      (string: u32 length, bytes)
//     blob params, blob params for the magnitudes (blob: u32 length, bytes)
//     u32 mode (0 exact, 1 absolute + relative |expected|, 2 relative * the op of the magnitudes), f64 relative,
//     f64 absolute, u32 nIn, u32 nOut, then for each operand
//       u32 present; if so: u32 dtype, u32 contents count (1, or 2 in mode 2: values, then magnitudes), that many blobs
// A case fails where !(|actual - expected| <= tolerance), where results differ between 1 and 3 threads, or where a byte
// outside of the outputs changed. Prints one line a failure and a summary; exits with 1 if anything failed.
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <new>
#include <string>
#include <vector>

#include "../core/registry.h"
#include "../core/status.h"
#include "../core/thread_pool.h"
#include "operand_memory.h"

namespace anneal {
namespace {

class Reader {
 public:
  explicit Reader(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (file == nullptr) {
      std::fprintf(stderr, "cannot open %s\n", path);
      std::exit(2);
    }
    std::fseek(file, 0, SEEK_END);
    data_.resize(static_cast<size_t>(std::ftell(file)));
    std::rewind(file);
    if (std::fread(data_.data(), 1, data_.size(), file) != data_.size()) std::exit(2);
    std::fclose(file);
  }

  template <class T> T number() {
    T value;
    take(&value, sizeof value);
    return value;
  }
  Bytes blob() {
    Bytes bytes(number<uint32_t>());
    take(bytes.data(), bytes.size());
    return bytes;
  }
  std::string string() {
    const Bytes bytes = blob();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  void take(void* to, size_t bytes) {
    if (bytes > data_.size() - at_) {
      std::fprintf(stderr, "the case file ends early\n");
      std::exit(2);
    }
    if (bytes > 0) std::memcpy(to, data_.data() + at_, bytes);
    at_ += bytes;
  }

  Bytes data_;
  size_t at_ = 0;
};

enum class Mode : uint32_t { exact, within, bilinear };

struct Operand {
  bool present = false;
  DType dtype = DType::f32;
  Bytes values, magnitudes;
};

struct Case {
  std::string op, name;
  Bytes params, magnitudeParams;
  Mode mode;
  double relative, absolute;
  uint32_t nIn, nOut;
  std::vector<Operand> operands;
};

Case readCase(Reader& reader) {
  Case c;
  c.op = reader.string();
  c.name = reader.string();
  c.params = reader.blob();
  c.magnitudeParams = reader.blob();
  c.mode = Mode{reader.number<uint32_t>()};
  c.relative = reader.number<double>();
  c.absolute = reader.number<double>();
  c.nIn = reader.number<uint32_t>();
  c.nOut = reader.number<uint32_t>();
  c.operands.resize(c.nIn + c.nOut);
  for (Operand& operand : c.operands) {
    operand.present = reader.number<uint32_t>() != 0;
    if (!operand.present) continue;
    operand.dtype = DType{reader.number<uint32_t>()};
    const uint32_t contents = reader.number<uint32_t>();
    operand.values = reader.blob();
    if (contents > 1) operand.magnitudes = reader.blob();
  }
  return c;
}

struct Result {
  std::vector<Bytes> operands;  // after the run, inputs too
  std::string error;
};

Result run(KernelFn kernel, const Case& c, uint32_t op, bool magnitudes, int threads, Placement placement) {
  Result result;
  std::deque<OperandMemory> placed;
  for (const Operand& operand : c.operands)
    placed.emplace_back(magnitudes ? operand.magnitudes : operand.values, placement);
  std::vector<BufferRef> refs;
  for (size_t i = 0; i < placed.size(); ++i) {
    if (c.operands[i].present) refs.push_back({placed[i].data(), placed[i].size()});
    else refs.push_back({nullptr, 0});
  }
  const Bytes& params = magnitudes ? c.magnitudeParams : c.params;
  alignas(16) std::byte aligned[kMaxParamBytes] = {};
  std::memcpy(aligned, params.data(), params.size());
  ThreadPool pool(threads);
  const OpCall call{aligned, refs.data(), refs.data() + c.nIn, c.nIn, c.nOut, pool};
  try {
    opDef(op).check(call);
    kernel(call);
  } catch (const OpError& error) {
    result.error = error.what();
  }
  for (OperandMemory& p : placed) {
    if (!p.guardsHold()) result.error = "wrote outside of an operand";
    result.operands.emplace_back(p.data(), p.data() + p.size());
  }
  return result;
}

double element(const Bytes& bytes, DType dtype, size_t i) {
  switch (dtype) {
    case DType::f32: {
      float value;
      std::memcpy(&value, bytes.data() + 4 * i, 4);
      return static_cast<double>(value);
    }
    case DType::i32: {
      int32_t value;
      std::memcpy(&value, bytes.data() + 4 * i, 4);
      return value;
    }
    case DType::u8: return static_cast<double>(bytes[i]);
  }
  return std::nan("");
}

// Where a NaN or an infinity is expected, exactly that must be there.
bool agrees(double actual, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (actual == expected) return true;
  return std::isfinite(expected) && std::abs(actual - expected) <= tolerance;
}

std::string compare(const Case& c, const Result& actual, const Result& expected, const Result& magnitudes) {
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const Operand& operand = c.operands[i];
    if (i < c.nIn) {
      if (actual.operands[i] != operand.values) return "input " + std::to_string(i) + " was changed";
      continue;
    }
    const size_t count = operand.values.size() / (operand.dtype == DType::u8 ? 1 : 4);
    for (size_t e = 0; e < count; ++e) {
      const double want = element(expected.operands[i], operand.dtype, e);
      const double have = element(actual.operands[i], operand.dtype, e);
      double tolerance = 0;
      if (operand.dtype == DType::f32 && c.mode == Mode::within) tolerance = c.absolute + c.relative * std::abs(want);
      if (operand.dtype == DType::f32 && c.mode == Mode::bilinear)
        tolerance = c.relative * std::abs(element(magnitudes.operands[i], operand.dtype, e));
      if (agrees(have, want, tolerance)) continue;
      char text[160];
      std::snprintf(text, sizeof text, "output %zu element %zu of %zu: expected %.9g, received %.9g, tolerance %.3g",
                    i - c.nIn, e, count, want, have, tolerance);
      return text;
    }
  }
  return "";
}

// Instruction sets that are wrong on purpose: the reference, and then an error. On `planted` the last byte of each output is
// wrong: every case with an output that is not empty must fail. The others read the byte next to each operand, which changes
// nothing: with --pages every case must fail.
KernelFn plantedReference = nullptr;

void plantedValue(const OpCall& call) {
  plantedReference(call);
  for (uint32_t i = 0; i < call.nOut; ++i)
    if (call.out[i].bytes > 0) call.output<std::byte>(i)[call.out[i].bytes - 1] ^= std::byte{0x41};
}

template <bool past> void plantedRead(const OpCall& call) {
  plantedReference(call);
  const auto read = [](const BufferRef& operand) {
    if (operand.data == nullptr) return;
    const volatile std::byte* const begin = static_cast<const std::byte*>(operand.data);
    static_cast<void>(past ? begin[operand.bytes] : *(begin - 1));
  };
  std::for_each_n(call.in, call.nIn, read);
  std::for_each_n(call.out, call.nOut, read);
}

KernelFn plantedByName(const std::string& name) {
  if (name == "planted") return plantedValue;
  if (name == "planted-read-past") return plantedRead<true>;
  if (name == "planted-read-before") return plantedRead<false>;
  return nullptr;
}

// What the reference gives for a case, and the magnitudes behind it: the same for every instruction set.
struct Expectation {
  Result values, magnitudes;
};

Expectation expectationOf(const Case& c, uint32_t op, Placement placement) {
  Expectation expected{run(opDef(op).reference, c, op, false, 1, placement), {}};
  if (c.mode == Mode::bilinear) expected.magnitudes = run(opDef(op).reference, c, op, true, 1, placement);
  return expected;
}

std::string checkCase(const Case& c, uint32_t op, KernelFn body, Placement placement, const Expectation& expected) {
  if (!expected.values.error.empty()) return "reference: " + expected.values.error;
  const Result one = run(body, c, op, false, 1, placement);
  if (!one.error.empty()) return one.error;
  const Result three = run(body, c, op, false, 3, placement);
  if (!three.error.empty()) return "3 threads: " + three.error;
  if (three.operands != one.operands) return "3 threads give other bits than 1";
  return compare(c, one, expected.values, expected.magnitudes);
}

uint32_t opByName(const std::string& name) {
  for (uint32_t op = 0; op < kOpCount; ++op)
    if (name == opDef(op).name) return op;
  std::fprintf(stderr, "no op is named %s\n", name.c_str());
  std::exit(2);
}

Isa isaByName(const std::string& name) {
  for (int i = 0; i < kIsaCount; ++i)
    if (name == isaName(static_cast<Isa>(i))) return static_cast<Isa>(i);
  std::fprintf(stderr, "no instruction set is named %s\n", name.c_str());
  std::exit(2);
}

// One case, where its operands lie, and the instruction sets to run it on.
struct Task {
  const Case* c;
  Placement placement;
  const std::vector<std::string>* isas;

  std::string about(const std::string& isa) const {
    const char* const where = placement == Placement::endsAtPage        ? ", operands end at a page"
                              : placement == Placement::beginsAfterPage ? ", operands begin after a page"
                                                                        : "";
    return c->op + " on " + isa + ", '" + c->name + "'" + where;
  }

  // Begins with `begun` of the instruction sets, which it counts up, and adds to `failed`.
  void run(size_t& begun, size_t& failed) const {
    const uint32_t op = opByName(c->op);
    plantedReference = opDef(op).reference;
    const Expectation expected = expectationOf(*c, op, placement);
    while (begun < isas->size()) {
      const std::string& isa = (*isas)[begun++];
      const KernelFn wrong = plantedByName(isa);
      const KernelFn body = wrong != nullptr ? wrong : kernel(isaByName(isa), op);
      const std::string error = checkCase(*c, op, body, placement, expected);
      if (error.empty()) continue;
      ++failed;
      std::printf("%s: %s\n", about(isa).c_str(), error.c_str());
    }
  }
};

size_t runHere(const std::vector<Task>& tasks) {
  size_t failed = 0;
  for (const Task& task : tasks) {
    size_t begun = 0;
    task.run(begun, failed);
  }
  return failed;
}

// Runs the tasks in a child, and what comes after that which ended it in the next child.
size_t runInChildren(const std::vector<Task>& tasks) {
  struct Progress {
    size_t done, begun, failed;  // tasks; instruction sets of the task at hand; both together
  };
  void* const shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  if (shared == MAP_FAILED) std::exit(2);
  auto* const progress = new (shared) Progress{0, 0, 0};
  const rlimit noCore{0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  while (progress->done < tasks.size()) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child < 0) std::exit(2);
    if (child == 0) {
      for (; progress->done < tasks.size(); ++progress->done, progress->begun = 0)
        tasks[progress->done].run(progress->begun, progress->failed);
      std::fflush(stdout);
      std::_Exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) std::exit(2);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    if (!WIFSIGNALED(status)) std::exit(2);
    const Task& task = tasks[progress->done];
    const bool inReference = progress->begun == 0;
    const std::string about = task.about(inReference ? "reference" : (*task.isas)[progress->begun - 1]);
    std::printf("%s: ended by signal %d, as by a read or a write outside of an operand\n", about.c_str(), WTERMSIG(status));
    progress->failed += inReference ? task.isas->size() : 1;
    if (inReference) ++progress->done;
  }
  return progress->failed;
}

int conformance(int argc, char** argv) {
  const bool pages = argc > 1 && std::strcmp(argv[1], "--pages") == 0;
  const int first = pages ? 2 : 1;
  if (argc < first + 2) {
    std::fprintf(stderr, "usage: %s [--pages] <cases> <instruction set>...\n", argv[0]);
    return 2;
  }
  Reader reader(argv[first]);
  std::vector<Case> cases(reader.number<uint32_t>());
  for (Case& c : cases) c = readCase(reader);
  std::vector<std::string> isas;
  for (int i = first + 1; i < argc; ++i) {
    if (plantedByName(argv[i]) != nullptr || isaRunnable(isaByName(argv[i]))) isas.emplace_back(argv[i]);
    else std::printf("not run: this CPU does not have %s\n", argv[i]);
  }
  std::vector<Task> tasks;
  for (const Case& c : cases) {
    if (!pages) tasks.push_back({&c, Placement::heap, &isas});
    else for (const Placement at : {Placement::endsAtPage, Placement::beginsAfterPage}) tasks.push_back({&c, at, &isas});
  }
  const size_t failed = pages ? runInChildren(tasks) : runHere(tasks);
  std::printf("%zu cases, %zu failed\n", tasks.size() * isas.size(), failed);
  return failed == 0 && !tasks.empty() && !isas.empty() ? 0 : 1;
}

}  // namespace
}  // namespace anneal

int main(int argc, char** argv) { return anneal::conformance(argc, argv); }
