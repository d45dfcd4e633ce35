/** A stretch of a token's text: itself, or a sign that stands for something invisible. */
export interface TextPart {
  readonly text: string;
  readonly sign: boolean;
}

const signs: Record<string, string> = { " ": "·", "\n": "↵", "\t": "→", "\r": "␍", "\u00a0": "⍽", "\u007f": "␡" };

// Other, separators, and whatever fills or joins without being seen. A space in [ ] is a sign of its own.
const invisible =
  /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u115f\u1160\u3164\uffa0\u2800]|(?<![^\p{C}\p{Z}])\p{M}+/gu;

/**
 * Text as it can be shown anywhere: white space, control characters, escape sequences, bidirectional controls, zero-width
 * characters and lone surrogates become signs (·, ↵, →, ⟨U+202E⟩), and marks without a letter get a circle to stand on.
 * @param longest in UTF-16 units; the middle of a longer text is left out
 */
export function visibleText(text: string, longest = 200): TextPart[] {
  if (text.length > longest) {
    const head = withoutHalf(text.slice(0, Math.floor(longest / 2)));
    const tail = withoutHalf(text.slice(-Math.floor(longest / 2)));
    const left = text.length - head.length - tail.length;
    return [...visibleText(head, longest), { text: `⟨${left} more⟩`, sign: true }, ...visibleText(tail, longest)];
  }
  const parts: TextPart[] = [];
  let end = 0;
  for (const found of text.matchAll(invisible)) {
    if (found.index > end) parts.push({ text: text.slice(end, found.index), sign: false });
    parts.push(signOf(found[0]));
    end = found.index + found[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), sign: false });
  return parts.length > 0 ? parts : [{ text: "⟨empty⟩", sign: true }];
}

/** Without the half of a character that a cut has left at an end. */
function withoutHalf(text: string): string {
  return text.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/, "");
}

/** The same as one string. */
export function visibleString(text: string, longest = 200): string {
  return visibleText(text, longest)
    .map((part) => part.text)
    .join("");
}

/** Text for a terminal's message: line breaks stay, tabs become spaces, nothing can move the cursor or the colours. */
export function terminalText(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replaceAll("\t", "  ")
    .replace(invisible, (found) => (found === "\n" || found === " " ? found : signOf(found).text));
}

function signOf(found: string): TextPart {
  const known = signs[found];
  if (known !== undefined) return { text: known, sign: true };
  if (/^\p{M}/u.test(found) && !/\p{Default_Ignorable_Code_Point}/u.test(found))
    return { text: `◌${found}`, sign: false };
  const codes = Array.from(found, (c) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
  return { text: `⟨${codes.join(" ")}⟩`, sign: true };
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** Columns that visible text takes in a terminal: 2 for East Asian characters and emoji, 0 for combining marks. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    width += wide.test(character) ? 2 : 1;
  }
  return width;
}
