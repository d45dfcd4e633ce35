import { UserError } from "../system/errors.ts";

/** The first name that occurs twice. */
export function repeatedName(names: readonly string[]): string | undefined {
  const known = new Set<string>();
  return names.find((name) => known.size === known.add(name).size);
}

export function namedTwice(name: string, at: { where?: string } = {}): UserError {
  return new UserError("unsupported-file", `two columns are named "${name}"`, { ...at, fix: "Rename one of them." });
}
