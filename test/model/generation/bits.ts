import { createHash } from "node:crypto";
import type { CacheMaker, Decoder } from "../../../src/model/index.ts";
import { continuation } from "../../../src/model/generation/continuation.ts";
import { valuesByRow } from "../../../src/model/generation/draws.ts";

/** Texts taken in together and continued by two tokens: of each all logits on the way, as a fingerprint of their bits. */
export async function bitsOf(
  decoder: Decoder,
  makeCache: CacheMaker,
  texts: readonly (readonly number[])[],
): Promise<string[]> {
  const cache = makeCache(decoder.config, texts.length);
  const { start, extend } = continuation(decoder, cache, { read: valuesByRow, alone: false });
  const steps = [await start(texts.map((ids, place) => ({ ids, place, forbidden: [] })))];
  for (const more of [0, 1]) {
    steps.push(await extend(texts.map(({ length }, place) => ({ id: 7 + more, position: length + more, place }))));
  }
  cache.dispose();
  return texts.map((_, i) => {
    const hash = createHash("sha256");
    for (const step of steps) hash.update(step[i]!);
    return hash.digest("hex");
  });
}
