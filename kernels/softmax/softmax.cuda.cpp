// How softmax and its backward are launched on CUDA.
#include "softmax.cuda.h"

#include "../../native/backends/cuda/launch.h"
#include "../common/rows.cuda.h"

namespace anneal::cuda::ops {

void softmax(Call& call) {
  SoftmaxArgs args{call.input<float>(0), call.output<float>(0), call.as<SoftmaxParams>(), 0};
  if (args.params.cols == 0) return;
  args.vectors = args.params.cols % 4 == 0 && alignedBy16(args.x) && alignedBy16(args.y);
  launchRows(call, {"softmax/softmax_8", "softmax/softmax_32", "softmax/softmax_256"}, args.params.rows, args.params.cols, args);
}

void softmax_backward(Call& call) {
  SoftmaxBackwardArgs args{call.input<float>(0), call.input<float>(1), call.output<float>(0), call.as<SoftmaxParams>(), 0};
  if (args.params.cols == 0) return;
  args.vectors = args.params.cols % 4 == 0 && alignedBy16(args.y) && alignedBy16(args.dy) && alignedBy16(args.dx);
  launchRows(call, {"softmax/softmax_backward_8", "softmax/softmax_backward_32", "softmax/softmax_backward_256"}, args.params.rows, args.params.cols, args);
}

}  // namespace anneal::cuda::ops
