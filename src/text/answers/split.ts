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
    if ("([{«".includes(text[i]!)) depth++;
    else if (")]}»".includes(text[i]!)) depth--;
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

/** The first bracket closes at the end. */
export function isOneGroup(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ("([{«".includes(text[i]!)) depth++;
    else if (")]}»".includes(text[i]!) && --depth === 0) return i === text.length - 1;
  }
  return false;
}
