import type { OwnModule } from "../contract/index.ts";
import { isRecord } from "../system/is-record.ts";

const readable: readonly unknown[] = ["positions", "attention", "keys", "keys-and-values", "facts"];

/** An eviction score in a module of the user's own. */
export const ownScore: OwnModule = {
  value: "score",
  create: "createScore",
  type: "EvictionScore",
  problems({ name, reads, queryWeight, needs, score }) {
    const wrong: string[] = [];
    if (typeof name !== "string" || name === "") wrong.push("name must be a text");
    if (!readable.includes(reads)) wrong.push(`reads must be one of ${readable.join(", ")}`);
    if (reads === "attention" && typeof queryWeight !== "function")
      wrong.push("queryWeight must be a function (query, length) => number");
    if (reads === "facts" && !isRecord(needs)) wrong.push("needs must say what is read: masses, keys, values, states");
    if (typeof score !== "function") wrong.push("score must be a function (shape, what it reads) => Float32Array");
    return wrong;
  },
  fix: "accumulatedAttention(options) makes one of attention; EvictionScore says what a score of your own needs.",
};
