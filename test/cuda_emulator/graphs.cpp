// Graphs of the emulated driver: chains of kernels.
#include <map>
#include <memory>

#include "world.h"

namespace anneal::cuda {
namespace {

struct GraphState {
  std::vector<std::unique_ptr<KernelNode>> nodes;
};

struct ExecState {
  std::map<const KernelNode*, size_t> places;  // of the graph's nodes
  std::shared_ptr<std::vector<KernelNode>> nodes;
};

}  // namespace

extern "C" {

Result cuGraphCreate(Graph* graph, unsigned) {
  ANNEAL_ENTER(cuGraphCreate);
  auto* const made = new GraphState;
  add(world().graphs, made);
  *graph = reinterpret_cast<Graph>(made);
  return kSuccess;
}
Result cuGraphAddKernelNode(GraphNode* node, Graph graph, const GraphNode* after, size_t count, const KernelNodeParams* params) {
  ANNEAL_ENTER(cuGraphAddKernelNode);
  if (!live(world().graphs, graph)) return kInvalidHandle;
  auto& nodes = reinterpret_cast<GraphState*>(graph)->nodes;
  // Only chains are emulated.
  const bool chained = nodes.empty() ? count == 0 : count == 1 && reinterpret_cast<KernelNode*>(*after) == nodes.back().get();
  if (!chained) return kInvalidValue;
  auto made = std::make_unique<KernelNode>();
  const Result result = nodeOf(*params, *made);
  if (result != kSuccess) return result;
  *node = reinterpret_cast<GraphNode>(made.get());
  nodes.push_back(std::move(made));
  return kSuccess;
}
Result cuGraphInstantiateWithFlags(GraphExec* exec, Graph graph, unsigned long long) {
  ANNEAL_ENTER(cuGraphInstantiate);
  if (!live(world().graphs, graph)) return kInvalidHandle;
  auto* const made = new ExecState;
  made->nodes = std::make_shared<std::vector<KernelNode>>();
  for (const auto& node : reinterpret_cast<GraphState*>(graph)->nodes) {
    made->places.emplace(node.get(), made->nodes->size());
    made->nodes->push_back(*node);
  }
  add(world().execs, made);
  *exec = reinterpret_cast<GraphExec>(made);
  return kSuccess;
}
Result cuGraphExecKernelNodeSetParams(GraphExec exec, GraphNode node, const KernelNodeParams* params) {
  ANNEAL_ENTER(cuGraphExecKernelNodeSetParams);
  if (!live(world().execs, exec)) return kInvalidHandle;
  auto& state = *reinterpret_cast<ExecState*>(exec);
  const auto place = state.places.find(reinterpret_cast<const KernelNode*>(node));
  if (place == state.places.end()) return kInvalidValue;
  // What is enqueued keeps what it was enqueued with.
  if (state.nodes.use_count() > 1) state.nodes = std::make_shared<std::vector<KernelNode>>(*state.nodes);
  return nodeOf(*params, (*state.nodes)[place->second]);
}
Result cuGraphLaunch(GraphExec exec, Stream stream) {
  ANNEAL_ENTER(cuGraphLaunch);
  if (!live(world().execs, exec) || !live(world().streams, stream)) return kInvalidHandle;
  streamOf(stream)->push([nodes = reinterpret_cast<ExecState*>(exec)->nodes] {
    for (const KernelNode& node : *nodes) execute(node);
  });
  return kSuccess;
}
Result cuGraphExecDestroy(GraphExec exec) {
  if (!remove(world().execs, exec)) return kInvalidHandle;
  delete reinterpret_cast<ExecState*>(exec);
  return kSuccess;
}
Result cuGraphDestroy(Graph graph) {
  if (!remove(world().graphs, graph)) return kInvalidHandle;
  delete reinterpret_cast<GraphState*>(graph);
  return kSuccess;
}

}  // extern "C"
}  // namespace anneal::cuda
