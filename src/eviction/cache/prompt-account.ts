import type { Decoder } from "../../model/decoder.ts";
import { realisedEviction } from "../accounting.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import { promptExemptions } from "../gates/layout.ts";

/** What a cache kept of one prompt. */
export interface PromptAccount {
  /** A key and a value of each token, layer and key-value head; and how many of them are kept. */
  readonly entries: number;
  readonly kept: number;
  /** Entries that might have been evicted, and how many were; exempt tokens are among neither. */
  readonly evictable: number;
  readonly evicted: number;
  /** Of what is kept, and of all entries, as float32. */
  readonly bytes: number;
  readonly full: number;
  /** `[length]`: 1 = could be evicted. */
  readonly evictableTokens: Uint8Array;
}

/**
 * Counts what is kept of a prompt, as `raggedCache` tells it.
 *
 *     raggedCache(eviction, { onEvicted: (keep, length) => accounts.push(promptAccount(keep, length, model)) })
 *
 * @param keep of every layer `[length * keyValueHeads]`, 1 = kept
 * @param options the tokens that could not be evicted
 */
export function promptAccount(
  keep: readonly Uint8Array[],
  length: number,
  { config: { keyValueHeads, headSize } }: Pick<Decoder, "config">,
  options: ExemptionOptions = {},
): PromptAccount {
  const shape = { rows: 1, width: length, heads: keyValueHeads, lengths: [length] };
  const { evictableTokens } = promptExemptions(length, options);
  const { evictable, evicted } = realisedEviction(keep, shape, evictableTokens);
  const entries = keep.length * length * keyValueHeads;
  const kept = keep.reduce((sum, flags) => flags.reduce((own, flag) => own + Number(flag !== 0), sum), 0);
  const entry = 2 * headSize * 4; // a key and a value; positions cost nothing, as cached keys are rotated already
  return { entries, kept, evictable, evicted, bytes: kept * entry, full: entries * entry, evictableTokens };
}
