import { barColumn, countColumn, errorColumn, probabilityColumn, shareColumn, textColumn } from "../kit/results.ts";

/** What every cache keeps of a prompt, and how the answers over it are. */
export const gateResults = [
  textColumn("model"),
  textColumn("cache"),
  shareColumn("accuracy", { page: "Right answers" }),
  shareColumn("passAt1", { head: "sampled" }),
  errorColumn("passAt1Error"),
  probabilityColumn(),
  shareColumn("kept"),
  shareColumn("evicted"),
  countColumn("bytes"),
  barColumn("kept", "of full cache"),
  countColumn("tokensPerSecond", { head: "tokens/s" }),
  shareColumn("keptKey", { head: "key kept" }),
  shareColumn("keptOthers", { head: "others kept" }),
];
