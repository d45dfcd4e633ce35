import type { Catalogue } from "../contract/index.ts";
import type { PreferenceForm } from "./form.ts";
import { cdpoShuffledForm } from "./forms/cdpo-shuffled.ts";
import { cdpoForm } from "./forms/cdpo.ts";
import { columnForm } from "./forms/columns.ts";
import { shuffledColumnForm } from "./forms/columns-shuffled.ts";
import { confPoForm } from "./forms/confpo.ts";
import { dpoForm } from "./forms/dpo.ts";
import { ldDpoForm } from "./forms/ld-dpo.ts";
import { rpoForm } from "./forms/rpo.ts";
import { sePoForm } from "./forms/sepo.ts";
import { sftChosenForm } from "./forms/sft-chosen.ts";
import { sftReferenceForm } from "./forms/sft-reference.ts";
import { tdpoForm } from "./forms/tdpo.ts";
import { temporalDecayForm } from "./forms/temporal-decay.ts";
import { tisDpoForm } from "./forms/tis-dpo.ts";
import type { PreferenceObjective } from "./objective.ts";
import { ownForm } from "./own-form.ts";

const entries = [
  cdpoForm,
  cdpoShuffledForm,
  dpoForm,
  rpoForm,
  ldDpoForm,
  temporalDecayForm,
  tdpoForm,
  confPoForm,
  sePoForm,
  tisDpoForm,
  columnForm,
  shuffledColumnForm,
  sftChosenForm,
  sftReferenceForm,
] as const;

/**
 * Every built-in form of learning from pairs.
 *
 * @example
 * import { createFrom, preferenceForms } from "tokensift/preference";
 *
 * preferenceForms.entries.map(({ name }) => name).slice(0, 4); //=> ["cdpo", "cdpo-shuffled", "dpo", "rpo"]
 * createFrom(preferenceForms, { method: "rpo", nll: 0.5 }).needs; //=> ["reference"]
 */
export const preferenceForms: Catalogue<
  PreferenceObjective,
  Omit<PreferenceForm, "create"> & (typeof entries)[number]
> = {
  kind: "form",
  title: "Preference forms",
  key: "align.objective.method",
  entries,
  own: ownForm,
};
