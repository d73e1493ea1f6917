// What can be asked of an adapter. Apart from adapter.ts, so that the library's types need none of WebGPU's.

export interface WebGpuOptions {
  /** Take an adapter that is a CPU in disguise (SwiftShader, lavapipe), which anneal's own CPU kernels outrun by far. */
  readonly allowSoftware?: boolean;
  /** Which of two GPUs: the fast one unless told. */
  readonly powerPreference?: 'high-performance' | 'low-power';
}
