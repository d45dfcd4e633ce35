/** A key of a JSON text. */
export interface JsonKey {
  readonly key: string;
  /** Objects and lists around it; 1 in the outermost object. */
  readonly depth: number;
  /** Whether its value is a number written with a fraction or an exponent (`30.0`). */
  readonly isReal: boolean;
  /** Where its value begins. */
  readonly valueAt: number;
}

/**
 * The keys of a JSON text in their order. One pass without a limit on nesting or lengths.
 * @param json must already have parsed as JSON
 * @example [...jsonKeys('{"a": {"b": 1.0}}')] // a at depth 1, b at depth 2, which is real
 */
export function* jsonKeys(json: string): Generator<JsonKey, void> {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const sign = json[at]!;
    if (sign === "{" || sign === "[") depth++;
    else if (sign === "}" || sign === "]") depth--;
    else if (sign === '"') {
      const end = textEnd(json, at);
      const next = afterBlanks(json, end);
      if (json[next] === ":") {
        const valueAt = afterBlanks(json, next + 1);
        yield { key: JSON.parse(json.slice(at, end)) as string, depth, isReal: isRealAt(json, valueAt), valueAt };
      }
      at = next - 1;
    }
  }
}

/**
 * A JSON text with another value under a key of its outermost object; everything else stays to the letter, such as
 * integers that a number does not hold. Without the key it stays as it is.
 * @param json must already have parsed as JSON
 */
export function withJsonValue(json: string, key: string, value: unknown): string {
  const [last] = [...jsonKeys(json)].filter((each) => each.depth === 1 && each.key === key).slice(-1);
  if (last === undefined) return json;
  return json.slice(0, last.valueAt) + JSON.stringify(value) + json.slice(valueEnd(json, last.valueAt));
}

function valueEnd(json: string, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length;) {
    const sign = json[at]!;
    if (sign === "{" || sign === "[") depth++;
    else if (sign === "}" || sign === "]") depth--;
    at = sign === '"' ? textEnd(json, at) : at + 1;
    if (depth === 0 && ",}] \t\n\r".includes(json[at] ?? ",")) return at;
  }
  return json.length;
}

/** Behind the text that begins at a quote. */
function textEnd(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

function afterBlanks(json: string, start: number): number {
  let at = start;
  while (at < json.length && " \t\n\r".includes(json[at]!)) at++;
  return at;
}

function isRealAt(json: string, start: number): boolean {
  if (!"-0123456789".includes(json[start] ?? "x")) return false;
  for (let at = start; at < json.length && "-+0123456789.eE".includes(json[at]!); at++)
    if (".eE".includes(json[at]!)) return true;
  return false;
}
