import { checkSize, TemplateTooCostly } from "./limits.ts";
import { isDict, isList, isSequence, kindOf, type Value } from "./values.ts";

/** Far more than a long conversation takes. */
export const mostSteps = 2_000_000;
const loopItemCost = 4;

/** What a template may still cost. */
export interface Budget {
  /** Begins anew, with all of the limit. */
  restart(): void;
  spend(steps: number): void;
  /** Counts a value that was made, and refuses one that is too large when written out. */
  check(value: Value): void;
  /** Counts a value that is to be printed, all that it holds. */
  checkPrinted(value: Value): void;
  /** Counts the items that a loop is to go through. */
  checkLoop(items: number): void;
}

/**
 * Limits that do not depend on the machine: steps (with the items of loops and the length of texts counted), and the
 * size of a value written out. No chat template comes near them; one that was made to hang or to fill the memory is
 * stopped within seconds.
 *
 * @param limit of steps
 */
export function createBudget(limit: number): Budget {
  let steps = 0;
  let sizes = new Map<object, number>();
  const spend = (cost: number): void => {
    steps += cost;
    if (steps > limit) throw new TemplateTooCostly("it takes too many steps");
  };
  /** Characters and items of a value written out, those it holds several times counted as often. */
  const sizeOf = (value: Value): number => {
    if (typeof value === "string") return value.length + 1;
    if (typeof value !== "object" || value === null) return 1;
    if (kindOf(value) === "namespace") throw new TemplateTooCostly("it nests namespaces");
    const known = sizes.get(value);
    if (known !== undefined) return known;
    const items = isList(value) ? value : isDict(value) ? [...value.values()] : isSequence(value) ? value.items : [];
    spend(items.length);
    let size = 1;
    for (const item of items) size += sizeOf(item);
    sizes.set(value, size);
    return size;
  };
  return {
    restart() {
      steps = 0;
      if (sizes.size > 0) sizes = new Map();
    },
    spend,
    check(value) {
      if (value === undefined) return spend(20);
      if (typeof value === "string") spend(value.length / 32);
      else if (isList(value)) spend(value.length / 8);
      else if (isDict(value)) spend(value.size / 8);
      else if (isSequence(value)) spend(value.items.length / 8);
      else return;
      checkSize(sizeOf(value));
    },
    checkPrinted(value) {
      if (typeof value === "object" && value !== null && kindOf(value) !== "namespace") spend(sizeOf(value) / 4);
    },
    checkLoop: (items) => spend(items * loopItemCost),
  };
}
