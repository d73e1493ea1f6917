#include "plan_graph.h"

#include <cstring>

#include "../../core/status.h"
#include "device.h"

namespace anneal::cuda {
namespace {

std::string describe(const Launch& launch) {
  const auto dim = [](const Dim& d) { return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z); };
  return std::string(launch.kernel) + ", grid " + dim(launch.grid) + ", block " + dim(launch.block) + ", " +
         std::to_string(launch.sharedBytes) + " bytes of shared memory";
}

bool sameShape(const Launch& a, const Launch& b) {
  return std::memcmp(&a.grid, &b.grid, sizeof(Dim)) == 0 && std::memcmp(&a.block, &b.block, sizeof(Dim)) == 0 &&
         a.sharedBytes == b.sharedBytes;
}

}  // namespace

LaunchError::LaunchError(const Launch& launch, Result result) : launch(describe(launch)), result(result) {}

// Keeps launches in place of launching them.
class PlanGraph::Collector : public Launcher {
 public:
  explicit Collector(PlanGraph& graph) : graph_(graph) {}

  void launch(const Launch& launch) override {
    const size_t at = (graph_.nextArgs_.size() + 15) / 16 * 16;
    graph_.nextArgs_.resize(at + launch.argBytes);
    std::memcpy(graph_.nextArgs_.data() + at, launch.args, launch.argBytes);
    graph_.next_.push_back({launch, at, graph_.device_.functionOf(launch.kernel, launch.sharedBytes), nullptr});
  }
  // The ops run one after the other, so all share it.
  void* scratch(size_t bytes) override {
    void* const data = graph_.device_.scratch(bytes, used_);
    used_ += (bytes + 255) / 256 * 256;
    return data;
  }
  void nextOp() { used_ = 0; }

 private:
  PlanGraph& graph_;
  size_t used_ = 0;
};

PlanGraph::~PlanGraph() { drop(); }

void PlanGraph::drop() {
  // A graph that still runs is freed by the driver once it is done.
  if (exec_ != nullptr) device_.driver().cuGraphExecDestroy(exec_);
  if (graph_ != nullptr) device_.driver().cuGraphDestroy(graph_);
  exec_ = nullptr;
  graph_ = nullptr;
  nodes_.clear();
}

KernelNodeParams PlanGraph::paramsOf(const Node& node, void** slot) const {
  const Launch& l = node.launch;
  *slot = const_cast<std::byte*>(args_.data() + node.argsAt);
  return {node.function, l.grid.x, l.grid.y, l.grid.z, l.block.x, l.block.y, l.block.z, l.sharedBytes, slot, nullptr};
}

void PlanGraph::prepare(const PlanRun& bound, const char*& op) {
  next_.clear();
  nextArgs_.clear();
  Collector collector(*this);
  NoExec none;
  for (const PlanOp& each : bound.plan->ops) {
    op = opDef(each.op).name;
    collector.nextOp();
    device_.mayFail(each.op);
    const OpCall call = bound.call(each, none);
    launchOp(each.op, call, device_.traits(), collector);
  }
  op = "plan";
  bool same = exec_ != nullptr && next_.size() == nodes_.size();
  for (size_t i = 0; same && i < nodes_.size(); ++i)
    same = next_[i].function == nodes_[i].function && next_[i].argsAt == nodes_[i].argsAt &&
           next_[i].launch.argBytes == nodes_[i].launch.argBytes;
  args_.swap(nextArgs_);
  if (!same) {
    drop();
    nodes_.swap(next_);
    if (!nodes_.empty()) make();
    return;
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    const size_t at = node.argsAt;
    if (sameShape(node.launch, next_[i].launch) &&
        std::memcmp(args_.data() + at, nextArgs_.data() + at, node.launch.argBytes) == 0)
      continue;
    node.launch = next_[i].launch;
    void* slot = nullptr;
    const KernelNodeParams params = paramsOf(node, &slot);
    const Result result = device_.driver().cuGraphExecKernelNodeSetParams(exec_, node.node, &params);
    if (result != kSuccess) throw LaunchError(node.launch, result);
    ++changed_;
  }
}

void PlanGraph::make() {
  const Driver& driver = device_.driver();
  succeed(driver, driver.cuGraphCreate(&graph_, 0), "cuGraphCreate");
  const GraphNode* after = nullptr;
  for (Node& node : nodes_) {
    void* slot = nullptr;
    const KernelNodeParams params = paramsOf(node, &slot);
    const Result result = driver.cuGraphAddKernelNode(&node.node, graph_, after, after == nullptr ? 0 : 1, &params);
    if (result != kSuccess) throw LaunchError(node.launch, result);
    after = &node.node;
  }
  succeed(driver, driver.cuGraphInstantiateWithFlags(&exec_, graph_, 0), "cuGraphInstantiate");
  ++made_;
}

}  // namespace anneal::cuda
