/** What runs inside the process of the examples of docstrings (see `public-examples.ts`). */

/** What a line says of its expression, and what the expression was. */
export interface Shown {
  /** Of the example. */
  readonly title: string;
  readonly says: string;
  /** As JSON. */
  readonly is: string;
  readonly right: boolean;
}

const shown: Shown[] = [];

/** Compares an expression with what its line says; an error with the first line of its message. */
export async function shows(
  title: string,
  says: string,
  expression: () => unknown,
  value: () => unknown,
): Promise<void> {
  let is: unknown;
  try {
    is = plain(await expression());
  } catch (error) {
    is = error instanceof Error ? error.message.split("\n")[0] : error;
  }
  shown.push({ title, says, is: JSON.stringify(is) ?? "undefined", right: alike(is, plain(value())) });
}

/** Runs an example; an error outside of a line that says what it shows is one of the example's. */
export async function attempt(title: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const is = error instanceof Error ? (error.stack ?? error.message) : String(error);
    shown.push({ title, says: "runs", is, right: false });
  }
}

/** Prints everything shown as the last line, and ends. */
export function finish(): void {
  process.stdout.write(`\n${JSON.stringify(shown)}\n`, () => process.exit(0));
}

function plain(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].map(plain);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as unknown as unknown[], plain);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(given.map(([key, one]) => [key, plain(one)]));
}

function alike(a: unknown, b: unknown): boolean {
  // four digits, as the lines say them; another engine's last bits differ
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= 1e-9 + 6e-4 * Math.abs(b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  if (Array.isArray(a) !== Array.isArray(b) || left.length !== right.size) return false;
  return left.every(([key, one]) => right.has(key) && alike(one, right.get(key)));
}
