/**
 * The control of weights from outside: the same weights, shuffled within each response, at equal mass or equal push (see
 * `shuffledBy`).
 */
import type { PreferenceForm } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { equalSchema, shuffledBy, type ShuffledOptions } from "../shuffled.ts";
import { changedColumnDpo, columnForm, type ColumnDpoOptions } from "./columns.ts";

/** Options of `shuffledColumnDpo`, beside those of `columnDpo`. */
export interface ShuffledColumnDpoOptions extends ColumnDpoOptions, ShuffledOptions {}

/** `columnDpo` with each response's weights in a random order. Throws a UserError for impossible options. */
export function shuffledColumnDpo({ equal, ...options }: ShuffledColumnDpoOptions = {}): WeightedDpo {
  return shuffledBy("weights", changedColumnDpo, options, equal);
}

export const shuffledColumnForm = {
  ...columnForm,
  name: "columns-shuffled",
  summary: "The control of columns: its weights shuffled within each response.",
  formula: "as columns, with the weight of another token of the same response, drawn once",
  learns: "control: the same weights, shuffled within each answer",
  options: { equal: equalSchema, ...columnForm.options },
  variantOf: "columns",
  create: shuffledColumnDpo,
} as const satisfies PreferenceForm<ShuffledColumnDpoOptions>;
