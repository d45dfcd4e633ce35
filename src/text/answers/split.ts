/** Parts between separators that stand outside all brackets. */
export function split(text: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    if ("([{«".includes(text[i]!)) depth++;
    else if (")]}»".includes(text[i]!)) depth--;
    if (depth !== 0) continue;
    const found = separator.exec(text.slice(i, i + 12))?.[0];
    if (found === undefined) continue;
    parts.push(text.slice(start, i));
    start = i + found.length;
    i = start - 1;
  }
  return [...parts, text.slice(start)];
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
