/** A key's place in a configuration: `["training", "steps"]`, `["compare", 0, "name"]`. */
export type KeyPath = readonly (string | number)[];

/** One thing wrong with a configuration. */
export interface Problem {
  /** The key it is about. */
  readonly path: KeyPath;
  /** A sentence without its subject (the key is printed before it): "must be a whole number, got 1.5". */
  readonly message: string;
  /** Point at the key itself rather than at its value (unknown keys). */
  readonly atKey?: boolean;
}

/** `training.steps`, `compare[0].name`; empty for the top level. */
export function keyName(path: KeyPath): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === "number") return `${name}[${key}]`;
    return name === "" ? key : `${name}.${key}`;
  }, "");
}

/** What stands there; undefined where there is nothing. */
export function valueAt(root: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string | number, unknown> | null | undefined)?.[key],
    root,
  );
}

/** A value as a message shows it: short, on one line, text in quotes. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (an empty value)";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return "a group of keys";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 76)}..."` : text;
}
