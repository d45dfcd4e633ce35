import { type CacheShape, checkShape, checkSize } from "./shape.ts";
import { wholeNumber } from "../system/refuse-option.ts";

/** How many tokens at either end of a prompt are never evicted. */
export interface ExemptionOptions {
  /** First tokens of every row that are always kept: attention rests on them when it has nothing to look for. Default 4. */
  readonly sinks?: number;
  /** Last tokens that are always kept. Default 16. */
  readonly window?: number;
}

/** Which keys a gate may hide from which queries. */
export interface Exemptions {
  /** `[rows * width]`: 1 = a gate may evict the token; rates and eviction losses count these alone. */
  readonly evictable: Uint8Array;
  /** `[rows]`: the most recent keys, its own among them, that every query sees whatever the gates say; at least 1. */
  readonly reach: Int32Array;
}

/**
 * The tokens that no gate may evict: padding, the first `sinks`, the last `window`, generated ones.
 *
 * A row with a prompt counts its response tokens as generated, and the window is the last `window` tokens before each
 * response: flags are decided once, at prefill. A row without `response` marks is plain text: its window slides with
 * the query, and only a token with a query beyond that window is evictable. Every query sees its own key.
 *
 * @param response `[rows * width]`, 1 = response token; leave it out for plain text, where every token is trained
 * @throws UserError for arrays or options that do not fit
 */
export function exemptTokens(
  shape: Omit<CacheShape, "heads">,
  response?: Uint8Array,
  { sinks = 4, window = 16 }: ExemptionOptions = {},
): Exemptions {
  const { rows, width, lengths } = shape;
  checkShape({ ...shape, heads: 1 });
  if (response) checkSize("The response mask", response, rows * width);
  wholeNumber("sinks", sinks, 0);
  wholeNumber("window", window, 0);
  const evictable = new Uint8Array(rows * width);
  const reach = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const length = lengths[row]!;
    const marks = response?.subarray(start, start + length);
    const plain = !marks?.includes(1);
    reach[row] = plain ? Math.max(1, window) : 1;
    const end = plain ? length - reach[row]! : length;
    if (end > sinks) evictable.fill(1, start + sinks, start + end);
    marks?.forEach((mark, t) => {
      if (!mark) return;
      evictable[start + t] = 0;
      if (!marks[t - 1]) evictable.fill(0, start + Math.max(0, t - window), start + t);
    });
  }
  return { evictable, reach };
}
