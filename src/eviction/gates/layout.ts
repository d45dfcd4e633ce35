import type { TokenBatch } from "../../contract/index.ts";
import type { PackedTokens } from "../../model/packing.ts";
import { exemptTokens, type ExemptionOptions, type Exemptions } from "../exemptions.ts";
import type { GatedShape } from "../shape.ts";
import type { GateLayout } from "./network.ts";

/**
 * What the rows of a batch are: `prompts` that are answered, whose response tokens count as generated, or plain `text`,
 * all of which is read at once.
 */
export type RowKind = "prompts" | "text";

/** Which gates of a packed batch count, and what they may know. */
export interface PackedExemptions extends GateLayout {
  /** `[N]` */
  readonly evictable: Uint8Array;
  /** `[rows]` */
  readonly reach: Int32Array;
  /** `[rows * width]`, as eviction losses and accounts take it. */
  readonly evictableTokens: Uint8Array;
}

/**
 * The exemptions of a batch. Gates of scope `global` see the prompt up to where the next response starts, those of plain
 * text what came before: none ever sees what is to be predicted.
 */
export function packedExemptions(
  { starts, slots, positions }: Pick<PackedTokens, "starts" | "slots" | "positions">,
  { rows, width, lengths, response }: Pick<TokenBatch, "rows" | "width" | "lengths" | "response">,
  kind: RowKind,
  options: ExemptionOptions,
): PackedExemptions {
  const text = kind === "text";
  const exempt = exemptTokens({ rows, width, lengths }, text ? undefined : response, options);
  const until = positions.map((position) => position + 1);
  if (!text)
    for (let token = slots.length - 2; token >= 0; token--)
      if (positions[token + 1] !== 0 && !response[slots[token]!] && !response[slots[token + 1]!])
        until[token] = until[token + 1]!;
  return {
    starts,
    until,
    evictable: Uint8Array.from(slots, (slot) => exempt.evictable[slot]!),
    reach: exempt.reach,
    evictableTokens: exempt.evictable,
  };
}

/**
 * A batch's cache, with the tokens that a gate may evict, as `decideGates` takes it.
 */
export function gatedBatch(
  { rows, width, lengths, response }: Pick<TokenBatch, "rows" | "width" | "lengths" | "response">,
  keyValueHeads: number,
  kind: RowKind,
  options: ExemptionOptions,
): GatedShape & Exemptions {
  const shape = { rows, width, lengths, heads: keyValueHeads };
  return { ...shape, ...exemptTokens(shape, kind === "text" ? undefined : response, options) };
}

/** The exemptions of one prompt that is to be answered: its response, if it has one, starts after its end. */
export function promptExemptions(length: number, { sinks = 4, window = 16 }: ExemptionOptions): PackedExemptions {
  const answered = { rows: 1, width: length + 1, lengths: [length + 1] };
  const marks = new Uint8Array(length + 1);
  marks[length] = 1;
  const { evictable, reach } = exemptTokens(answered, marks, { sinks, window });
  return {
    starts: Int32Array.of(0, length),
    until: new Int32Array(length).fill(length),
    evictable: evictable.subarray(0, length),
    reach,
    evictableTokens: evictable.subarray(0, length),
  };
}
