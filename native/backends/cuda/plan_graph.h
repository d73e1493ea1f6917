// A plan's launches as a CUDA graph: a chain of kernels, whose arguments are set anew, without making the graph again, where a run
// binds other memory or has other parameters.
#pragma once

#include <string>
#include <vector>

#include "../../core/no_exec.h"
#include "../../core/plan.h"
#include "driver.h"
#include "launch.h"

namespace anneal::cuda {

class Device;

// A launch that the driver refused.
struct LaunchError {
  LaunchError(const Launch& launch, Result result);
  std::string launch;  // "sgemm/tiled, grid 8 x 8 x 1, block 256 x 1 x 1, 0 bytes of shared memory"
  Result result;
};

class PlanGraph {
 public:
  explicit PlanGraph(Device& device) : device_(device) {}
  ~PlanGraph();
  PlanGraph(const PlanGraph&) = delete;
  PlanGraph& operator=(const PlanGraph&) = delete;

  // Makes exec() what the run is to launch. Says in `op` whose launches these are. Raises, or throws LaunchError.
  void prepare(const PlanRun& bound, const char*& op);
  GraphExec exec() const { return exec_; }  // null: nothing to launch
  // Begins again at the next run.
  void drop();
  // As drop(), once the device is lost: its graphs went with it.
  void abandon() { exec_ = nullptr, graph_ = nullptr; }

  uint64_t made() const { return made_; }        // graphs instantiated
  uint64_t changed() const { return changed_; }  // kernels that got other arguments

 private:
  struct Node {
    Launch launch;  // its args lie in args_ from argsAt on
    size_t argsAt;
    Function function;
    GraphNode node;
  };
  class Collector;

  void make();
  KernelNodeParams paramsOf(const Node& node, void** slot) const;

  Device& device_;
  Graph graph_ = nullptr;
  GraphExec exec_ = nullptr;
  std::vector<Node> nodes_, next_;
  std::vector<std::byte> args_, nextArgs_;
  uint64_t made_ = 0, changed_ = 0;
};

}  // namespace anneal::cuda
