/**
 * The first key that the outermost object of a JSON text has twice, if any (`JSON.parse` keeps the last silently).
 * The text must already have parsed as a JSON object. One pass, no nesting limit.
 */
export function duplicateKey(json: string): string | undefined {
  const seen = new Set<string>();
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]]/gs;
  let depth = 0;
  for (const { 0: token, index } of json.matchAll(tokens)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && /^\s*:/.test(json.slice(index + token.length, index + token.length + 64))) {
      const key = JSON.parse(token) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}
