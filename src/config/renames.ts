import type { KeyPath, Problem } from "./problem.ts";
import { keyName } from "./problem.ts";

/** A key or a value of an earlier version and what it is called now. `[]` in a key stands for every place of a list. */
export type Rename = RenamedKey | RenamedValue;

interface RenamedKey {
  readonly key: string;
  /** The key's new name, from the top: `align.objective.method`; as many `[]` as in `key`, or none. */
  readonly now: string;
}

interface RenamedValue {
  readonly key: string;
  readonly value: string;
  readonly now: string;
}

/** The old spellings of a key's values. */
export function renamedValues(keys: readonly string[], values: Readonly<Record<string, string>>): Rename[] {
  return keys.flatMap((key) => Object.entries(values).map(([value, now]) => ({ key, value, now })));
}

/**
 * Finds old keys and values and says what they are called now; puts the new ones in their place, so that nothing else
 * is said of them.
 */
export function renamed(raw: object, renames: readonly Rename[]): Problem[] {
  return renames.flatMap((rename) =>
    placesOf(raw, steps(rename.key)).flatMap(({ holder, step, path }): Problem[] => {
      if ("value" in rename) {
        if (holder[step] !== rename.value) return [];
        holder[step] = rename.now;
        return [{ path, message: `is ${JSON.stringify(rename.value)}, which is now spelled ${rename.now}` }];
      }
      const now = inSameList(rename.now, path);
      const value = holder[step];
      Reflect.deleteProperty(holder, step);
      put(raw, now, value);
      return [{ path, message: `is now called ${keyName(now)}`, atKey: true }];
    }),
  );
}

interface Found {
  readonly holder: Record<string | number, unknown>;
  readonly step: string | number;
  readonly path: KeyPath;
}

/** The steps of a key, its `[]` in the places of a list in which `path` goes through lists. */
function inSameList(key: string, path: KeyPath): KeyPath {
  const indices = path.filter((step) => typeof step === "number");
  return steps(key).map((step) => (step === "[]" ? indices.shift()! : step));
}

const steps = (key: string): string[] => key.replaceAll("[]", ".[]").split(".");

/** Puts a value where none stands yet. */
function put(root: object, path: KeyPath, value: unknown): void {
  let holder = root as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) {
    if (typeof holder[step] !== "object" || holder[step] === null) holder[step] = {};
    holder = holder[step] as Record<string | number, unknown>;
  }
  holder[path.at(-1)!] ??= value;
}

function placesOf(value: unknown, [first, ...rest]: readonly string[], path: KeyPath = []): Found[] {
  if (typeof value !== "object" || value === null || first === undefined) return [];
  const holder = value as Record<string | number, unknown>;
  const entries = Array.isArray(value) ? [...value.keys()] : [];
  const found = first === "[]" ? entries : Object.hasOwn(holder, first) ? [first] : [];
  return found.flatMap((step) => {
    const here = [...path, step];
    return rest.length === 0 ? [{ holder, step, path: here }] : placesOf(holder[step], rest, here);
  });
}
