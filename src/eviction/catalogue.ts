import type { Catalogue, Entry } from "../contract/index.ts";
import type { EvictionScore } from "./key-score.ts";
import { alisaEntry } from "./scores/alisa.ts";
import { compressKvEntry } from "./scores/compress-kv.ts";
import { emsEntry } from "./scores/ems.ts";
import { lazyLlmEntry } from "./scores/lazy-llm.ts";
import { mcMoeEntry } from "./scores/mc-moe.ts";
import { rsqEntry } from "./scores/rsq.ts";
import { vtcClsEntry } from "./scores/vtc-cls.ts";
import { zipVlEntry } from "./scores/zip-vl.ts";
import { ownScore } from "./own-score.ts";
import { a2sfEntry } from "./scores/a2sf.ts";
import { h2oEntry } from "./scores/h2o.ts";
import { keyDiffEntry } from "./scores/key-diff.ts";
import { keyDiffValueEntry } from "./scores/key-diff-value.ts";
import { keyNormEntry } from "./scores/key-norm.ts";
import { observedMeanEntry } from "./scores/observed-mean.ts";
import { snapKvEntry } from "./scores/snap-kv.ts";
import { streamingLlmEntry } from "./scores/streaming-llm.ts";

const entries = [
  streamingLlmEntry,
  h2oEntry,
  a2sfEntry,
  snapKvEntry,
  observedMeanEntry,
  keyNormEntry,
  keyDiffEntry,
  keyDiffValueEntry,
  compressKvEntry,
  lazyLlmEntry,
  vtcClsEntry,
  alisaEntry,
  emsEntry,
  zipVlEntry,
  rsqEntry,
  mcMoeEntry,
] as const;

/**
 * Every score by which a cache can choose what it keeps.
 *
 * @example
 * import { createFrom, evictionScores } from "tokensift/eviction";
 *
 * createFrom(evictionScores, { method: "key-diff" }).name; //=> "key-diff"
 * evictionScores.entries.map(({ name }) => name).slice(0, 3); //=> ["streaming-llm", "h2o", "a2sf"]
 */
export const evictionScores: Catalogue<EvictionScore, Omit<Entry<EvictionScore>, "create"> & (typeof entries)[number]> =
  {
    kind: "score",
    title: "Eviction scores",
    key: "evaluation.baselines",
    entries,
    own: ownScore,
  };
