/** A node of the syntax tree of `@huggingface/jinja`, whose own declarations do not resolve outside a bundler. */
export interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Every identifier that a part of the tree holds. */
export function identifiersIn(part: unknown): Set<string> {
  return valuesIn(part, ["Identifier"]);
}

/** Every identifier and every text that a part of the tree holds. */
export function namesIn(part: unknown): Set<string> {
  return valuesIn(part, ["Identifier", "StringLiteral"]);
}

function valuesIn(part: unknown, types: readonly string[]): Set<string> {
  const values = new Set<string>();
  const pending: unknown[] = [part];
  while (pending.length > 0) {
    const at = pending.pop();
    if (typeof at !== "object" || at === null) continue;
    const { type, value } = at as Node;
    if (types.includes(type) && typeof value === "string") values.add(value);
    for (const inner of at instanceof Map ? [...at.keys(), ...at.values()] : Object.values(at)) pending.push(inner);
  }
  return values;
}
