import { nearest } from "../../config/nearest.ts";
import { UserError } from "../../system/errors.ts";
import { cut } from "./cut.ts";
import { foreign } from "./foreign.ts";
import type { PlantingKind } from "./kind.ts";
import { numbers } from "./numbers.ts";
import { repeated } from "./repeated.ts";
import { swapped } from "./swapped.ts";

/** Every kind of error that can be planted. */
export const plantingKinds: readonly PlantingKind[] = [numbers, swapped, foreign, repeated, cut];

/**
 * The kinds of a list such as "numbers,cut", each once.
 * @throws UserError for an unknown kind, with the nearest name, and for a list of none
 */
export function kindsNamed(list: string): PlantingKind[] {
  const names = [...new Set(list.split(",").map((name) => name.trim()))].filter((name) => name !== "");
  const known = plantingKinds.map(({ name }) => name);
  if (names.length === 0)
    throw new UserError("invalid-option", "--kinds names no kind of error", { fix: `Kinds: ${known.join(", ")}.` });
  return names.map((name) => {
    const kind = plantingKinds.find((each) => each.name === name);
    if (kind !== undefined) return kind;
    const near = nearest(name, known);
    throw new UserError("invalid-option", `--kinds: there is no kind of error ${JSON.stringify(name)}`, {
      fix: near === undefined ? `Kinds: ${known.join(", ")}.` : `Did you mean ${near}?`,
    });
  });
}
