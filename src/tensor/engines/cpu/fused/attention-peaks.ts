import type { FusedKernel } from "./kernel.ts";
import { factsOf, windowOf } from "./attention.ts";

/** In plain loops: few queries ask, and TensorFlow.js' reductions over a middle axis cost more than the products. */
export const attentionPeaks: FusedKernel<"TokensiftAttentionPeaks"> = ({ q, k }, attrs, backend) => {
  const { starts, queries, heads, keyValueHeads, reach, of } = attrs;
  const d = q.shape[1] / heads;
  const share = heads / keyValueHeads;
  const result = backend.empty([q.shape[0], keyValueHeads]);
  const [Q, K, found] = [q, k, result].map((tensor) => backend.valuesOf(tensor)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  found.fill(0);
  const scores = new Float64Array(starts.reduce((most, end, row) => Math.max(most, end - (starts[row - 1] ?? 0)), 0));
  for (let row = 0; row < reach.length; row++) {
    const start = starts[row]!;
    for (let query = start; query < starts[row + 1]!; query++) {
      if (queries[query] !== 1) continue;
      const oldest = Math.max(start, query + 1 - windowOf(attrs));
      for (let head = 0; head < heads; head++) {
        const group = Math.floor(head / share);
        const mass = softmaxOf(scores, Q, K, { query, oldest, head, group, d, attrs });
        for (let key = oldest; key <= query - reach[row]!; key++) {
          const attention = scores[key - oldest]! / mass;
          const at = key * keyValueHeads + group;
          if (of === "sum") found[at]! += attention / share;
          else if (attention > found[at]!) found[at] = attention;
        }
      }
    }
  }
  return [result];
};

interface OneQuery {
  readonly query: number;
  readonly oldest: number;
  readonly head: number;
  readonly group: number;
  readonly d: number;
  readonly attrs: Parameters<typeof attentionPeaks>[1];
}

/** Fills the powers of a query's scores, from its oldest key to its own, and gives their sum. */
function softmaxOf(powers: Float64Array, Q: Float32Array, K: Float32Array, of: OneQuery): number {
  const { query, oldest, head, group, d, attrs } = of;
  const { heads, keyValueHeads } = attrs;
  const [scale, cap] = factsOf(attrs, d);
  const from = (query * heads + head) * d;
  const count = query - oldest + 1;
  let largest = -Infinity;
  for (let n = 0; n < count; n++) {
    const to = ((oldest + n) * keyValueHeads + group) * d;
    let product = 0;
    for (let i = 0; i < d; i++) product += Q[from + i]! * K[to + i]!;
    const scaled = product * scale!;
    const score = cap! > 0 ? cap! * Math.tanh(scaled / cap!) : scaled;
    powers[n] = score;
    if (score > largest) largest = score;
  }
  let mass = 0;
  for (let n = 0; n < count; n++) mass += powers[n] = Math.exp(powers[n]! - largest);
  return mass;
}
