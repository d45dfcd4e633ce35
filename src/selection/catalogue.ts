import type { Catalogue, Entry, TokenRule } from "../contract/index.ts";
import { asftEntry } from "./asft.ts";
import { datasetWeightsEntry } from "./dataset-weights.ts";
import { deftEntry } from "./deft.ts";
import { dftEntry } from "./dft.ts";
import { eaftEntry } from "./eaft.ts";
import { focalEntry } from "./focal.ts";
import { forgettingEntry } from "./forgetting.ts";
import { fullEntry } from "./full.ts";
import { highEntropyEntry } from "./high-entropy.ts";
import { iwSftEntry } from "./iw-sft.ts";
import { lossTopEntry } from "./loss-top.ts";
import { ownRule } from "./own-rule.ts";
import { profitEntry } from "./profit.ts";
import { randomEntry } from "./random.ts";
import { relRowsEntry } from "./rel-rows.ts";
import { rho1Entry } from "./rho1.ts";
import { smallLossEntry } from "./small-loss.ts";
import { ssTokenEntry } from "./sstoken.ts";
import { tokenCleaningEntry } from "./token-cleaning.ts";

const entries = [
  fullEntry,
  randomEntry,
  lossTopEntry,
  ssTokenEntry,
  relRowsEntry,
  rho1Entry,
  tokenCleaningEntry,
  forgettingEntry,
  highEntropyEntry,
  profitEntry,
  smallLossEntry,
  dftEntry,
  deftEntry,
  asftEntry,
  focalEntry,
  eaftEntry,
  iwSftEntry,
  datasetWeightsEntry,
] as const;

/**
 * Every built-in rule.
 *
 * @example
 * import { rules } from "tokensift/selection";
 *
 * rules.entries.map(({ name }) => name).slice(0, 5); //=> ["full", "random", "loss-top", "sstoken", "rel-rows"]
 * rules.entries.find(({ name }) => name === "dft")!.paper; //=> "https://arxiv.org/abs/2508.05629"
 */
export const rules: Catalogue<TokenRule, Omit<Entry<TokenRule>, "create"> & (typeof entries)[number]> = {
  kind: "rule",
  title: "Selection rules",
  key: "selection.method",
  entries,
  own: ownRule,
};
