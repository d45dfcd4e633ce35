import type { MethodChoice } from "../../config/method-choice.ts";
import {
  barColumn,
  countColumn,
  endColumns,
  errorColumn,
  probabilityColumn,
  type ResultRow,
  shareColumn,
  textColumn,
} from "../kit/results.ts";
import type { ArmRows, ComparedArms } from "../kit/finding.ts";
import type { CacheResult } from "./answers.ts";
import { baselineNames } from "./config.ts";

/** What every cache keeps of a prompt, and how the answers over it are. */
export const gateResults = [
  textColumn("model"),
  textColumn("cache"),
  shareColumn("accuracy", { page: "Right answers", compared: "share of right greedy answers" }),
  shareColumn("passAt1", { head: "sampled", compared: "share of right sampled answers" }),
  errorColumn("passAt1Error"),
  probabilityColumn(),
  shareColumn("kept"),
  shareColumn("evicted"),
  countColumn("bytes"),
  barColumn("kept", "of full cache"),
  countColumn("tokensPerSecond", { head: "tokens/s" }),
  shareColumn("keptKey", { head: "key kept" }),
  shareColumn("keptOthers", { head: "others kept" }),
  ...endColumns,
];

/**
 * The gates' cache, of several that of the first share, and those of the model without gates: all entries, and what
 * published scores keep of as many.
 */
export function comparedCaches(rows: readonly CacheResult[]): ComparedArms | undefined {
  const own = rows.find(({ model, cache }) => model === "gates" && cache !== "full");
  const others = rows.filter(({ model, keep = own?.keep }) => model !== "gates" && keep === own?.keep);
  return own && { main: rowsOver(own, own.cache), controls: others.map((row) => rowsOver(row, nameOf(row))) };
}

/** In a sentence, where `full` alone would say too little. */
const nameOf = ({ cache }: CacheResult): string => (cache === "full" ? "all entries without gates" : cache);

/** Every cache answers the same prompts in the same order. */
function rowsOver(
  { rowCorrect: accuracy, rowPassRate: passAt1 = [], ownMetrics: own = {} }: CacheResult,
  name: string,
): ArmRows {
  return { name, rowIds: [...accuracy.keys()], values: { accuracy, passAt1 }, own };
}

/** Why the baselines of a run have no rows, where gates that evict nothing leave them nothing to drop; none otherwise. */
export function baselineNotes(rows: readonly ResultRow[], baselines: readonly MethodChoice[]): string[] {
  const own = rows.find(({ cache }) => cache === "gates");
  if (own === undefined || Number(own["kept"]) < 1 || baselines.length === 0) return [];
  return [
    `The gates evicted nothing, so ${baselineNames(baselines).join(", ")} could not be compared: a baseline keeps as many ` +
      "entries as the gates, which were all. Gates evict after more steps or with a smaller eviction.target, and only from " +
      "prompts of more than gates.sinks + gates.window tokens.",
  ];
}
