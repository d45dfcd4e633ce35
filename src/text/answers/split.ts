/**
 * Parts between separators that stand outside all brackets.
 *
 * @param separator a sticky expression
 */
export function split(text: string, separator: RegExp): string[] {
  return splitWith(text, separator).parts;
}

/** Parts, and the separators between them. */
export function splitWith(text: string, separator: RegExp): { parts: string[]; separators: string[] } {
  const [parts, separators]: [string[], string[]] = [[], []];
  let [depth, start] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    depth += deeper(text[i]!);
    if (depth !== 0) continue;
    separator.lastIndex = i;
    if (!separator.test(text)) continue;
    parts.push(text.slice(start, i));
    start = separator.lastIndex;
    separators.push(text.slice(i, start));
    i = start - 1;
  }
  return { parts: [...parts, text.slice(start)], separators };
}

/** 1 for a bracket that opens, -1 for one that closes. */
function deeper(character: string): number {
  if ("([{«".includes(character)) return 1;
  return ")]}»".includes(character) ? -1 : 0;
}

/** The first bracket closes at the end. */
export function isOneGroup(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const change = deeper(text[i]!);
    depth += change;
    if (change < 0 && depth === 0) return i === text.length - 1;
  }
  return false;
}
