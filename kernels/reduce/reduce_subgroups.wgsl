// reduce.wgsl over a subgroup, for group_subgroups.wgsl.

// Of items the largest key wins: NaN, then numbers, in the order that CODE asks for; 0 is below all numbers.
fn key_of(folded: Folded) -> u32 {
  if !folded.any { return 0u; }
  let largest = CODE == 2u || CODE == 5u;
  if DTYPE == 1u {
    let key = bitcast<u32>(folded.word) ^ 0x80000000u;
    return select(~key, key, largest);
  }
  if is_nan(folded.value) { return 0xffffffffu; }
  if is_zero(folded.value) { return 0x80000000u; } // of either sign
  let word = bitcast<u32>(folded.value);
  let key = select(word | 0x80000000u, ~word, word > 0x7fffffffu);
  return select(~key, key, largest);
}

fn subgroup_fold(folded: Folded, how: u32) -> Folded {
  switch CODE {
    case 0u, 1u, 7u: { return Folded(subgroupAdd(folded.value), subgroupAdd(folded.word), 0u, true); }
    case 4u: { return Folded(subgroupMul(folded.value), subgroupMul(folded.word), 0u, true); }
    default: {}
  }
  // The first item with the largest key; its bits come from the one thread that has it.
  let key = key_of(folded);
  let best = subgroupMax(key);
  let wins = folded.any && key == best;
  let at = subgroupMin(select(0xffffffffu, folded.at, wins));
  let first = wins && folded.at == at;
  let value = subgroupMax(select(0u, bitcast<u32>(folded.value), first));
  let word = subgroupMax(select(0u, bitcast<u32>(folded.word), first));
  if at == 0xffffffffu { return identity(); }
  return Folded(bitcast<f32>(value), bitcast<i32>(word), at, true);
}
