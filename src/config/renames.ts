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

/** An old key or value. */
interface RenamedProblem extends Problem {
  /** Where its value stands now; not where the new key was given beside the old one. */
  readonly movedTo?: KeyPath;
}

/**
 * Finds old keys and values and says what they are called now; puts the new ones in their place, so that what is wrong
 * with them is said of the new key.
 */
export function renamed(raw: object, renames: readonly Rename[]): RenamedProblem[] {
  return renames.flatMap((rename) =>
    placesOf(raw, steps(rename.key)).flatMap(({ holder, step, path }): RenamedProblem[] => {
      if ("value" in rename) {
        if (holder[step] !== rename.value) return [];
        holder[step] = rename.now;
        return [{ path, message: `is ${JSON.stringify(rename.value)}, which is now spelled ${rename.now}` }];
      }
      const now = inSameList(rename.now, path);
      const value = holder[step];
      Reflect.deleteProperty(holder, step);
      const placed = put(raw, now, value);
      return [{ path, message: `is now called ${keyName(now)}`, atKey: true, ...(placed && { movedTo: now }) }];
    }),
  );
}

/**
 * All problems of a configuration, with one message for each old key: what is wrong with its value stands behind its
 * new name, since the file has no place of that name.
 */
export function withRenamed(old: readonly RenamedProblem[], others: readonly Problem[]): Problem[] {
  const isAbout = ({ path }: Problem, { movedTo }: RenamedProblem): boolean =>
    movedTo !== undefined && movedTo.every((step, depth) => path[depth] === step);
  return [
    ...old.map((problem) => {
      const wrong = others.filter((other) => isAbout(other, problem)).map((other) => behindName(problem, other));
      return { ...problem, message: problem.message + wrong.join("") };
    }),
    ...others.filter((other) => !old.some((problem) => isAbout(other, problem))),
  ];
}

const behindName = ({ movedTo }: RenamedProblem, { path, message }: Problem): string =>
  path.length === movedTo!.length ? `, which ${message}` : `; ${keyName(path)} ${message}`;

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

/** Puts a value where none stands yet, and says whether it did. */
function put(root: object, path: KeyPath, value: unknown): boolean {
  let holder = root as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) {
    if (typeof holder[step] !== "object" || holder[step] === null) holder[step] = {};
    holder = holder[step] as Record<string | number, unknown>;
  }
  const last = path.at(-1)!;
  if (holder[last] !== undefined && holder[last] !== null) return false;
  holder[last] = value;
  return true;
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
