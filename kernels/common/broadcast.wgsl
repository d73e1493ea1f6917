// Products on adapters that are CPUs and have subgroups of 8 threads, as llvmpipe: a workgroup is one subgroup and holds 32 x 32 of
// the result, a thread 4 of the columns of all rows, four steps of depth at a time.
//
// Why  What a thread reads, llvmpipe reads for each of the eight by itself, with a test and a check of the bounds, whether or not it
//      is the same for all: some 75 instructions for what is one with a broadcast. So each thread reads for four of the rows,
//      and hands it to the others: 8 reads of vec4 for 32 x 4 multiply-adds of vec4. Four steps at once, since in a loop each
//      sum is loaded, masked and stored each time round. Rows are written out: an array that a loop indexes goes to memory, and
//      the same products took five times as long.

// Four steps of depth for four columns.
struct Four { b: array<vec4<f32>, 4> }
alias Rows = array<vec4<f32>, 32>;

fn add_steps(sum: vec4<f32>, a: vec4<f32>, b: Four) -> vec4<f32> {
  return fma(vec4<f32>(a.w), b.b[3], fma(vec4<f32>(a.z), b.b[2], fma(vec4<f32>(a.y), b.b[1], fma(vec4<f32>(a.x), b.b[0], sum))));
}

fn add_rows(sums: ptr<function, Rows>, first: u32, a: vec4<f32>, b: Four) {
  (*sums)[first] = add_steps((*sums)[first], subgroupBroadcast(a, 0u), b);
  (*sums)[first + 1u] = add_steps((*sums)[first + 1u], subgroupBroadcast(a, 1u), b);
  (*sums)[first + 2u] = add_steps((*sums)[first + 2u], subgroupBroadcast(a, 2u), b);
  (*sums)[first + 3u] = add_steps((*sums)[first + 3u], subgroupBroadcast(a, 3u), b);
  (*sums)[first + 4u] = add_steps((*sums)[first + 4u], subgroupBroadcast(a, 4u), b);
  (*sums)[first + 5u] = add_steps((*sums)[first + 5u], subgroupBroadcast(a, 5u), b);
  (*sums)[first + 6u] = add_steps((*sums)[first + 6u], subgroupBroadcast(a, 6u), b);
  (*sums)[first + 7u] = add_steps((*sums)[first + 7u], subgroupBroadcast(a, 7u), b);
}
