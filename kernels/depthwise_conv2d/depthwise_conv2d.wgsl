// Depthwise convolution on WebGPU; contract in depthwise_conv2d.h. What its three texts share.
//
// Where m is 1 and channels come by fours (FOUR), a thread makes four neighbouring channels; otherwise one channel, and all
// parts of a vector are that channel. Neighbouring threads have neighbouring channels, so that what they read lies together.

const STEP = select(1u, 4u, FOUR);

fn channels() -> u32 { return params.c * params.m; }
