/** Which thread this instance runs on: picks its share of scratch space. */
export let rank: i32 = 0;
export function setRank(value: i32): void {
  rank = value;
}
