const numberPattern = /-?\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|-?\$?\.\d+/g;

/**
 * The answer a solution ends with: what stands behind the last `####`, else in the last `\boxed{}`, else the last
 * number. Numbers come without thousands commas, currency signs, and zeros or a full stop that say nothing.
 * @returns undefined if there is none
 */
export function finalAnswer(text: string): string | undefined {
  const marked = afterMarker(text) ?? lastBoxed(text);
  if (marked !== undefined) return normalizeAnswer(marked);
  const last = text.match(numberPattern)?.at(-1);
  return last === undefined ? undefined : normalizeAnswer(last);
}

/** An answer in the form in which equal ones are mostly equal texts. */
export function normalizeAnswer(text: string): string {
  const trimmed = text.trim().replace(/\s+/g, " ").replace(/\.$/, "").trimEnd();
  const bare = trimmed
    .replace(/^(-?)\\?\$/, "$1")
    .replace(/\\?[$%]$/, "")
    .trim();
  const plain = /^[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$/.test(bare) ? bare.replaceAll(",", "") : bare;
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)$/.test(plain)) return trimmed;
  const [, sign = "", whole = "", decimals = ""] = /^([-+]?)0*(\d*)\.?(\d*?)0*$/.exec(plain) ?? [];
  const digits = `${whole === "" ? "0" : whole}${decimals === "" ? "" : `.${decimals}`}`;
  return sign === "-" && digits !== "0" ? `-${digits}` : digits;
}

function afterMarker(text: string): string | undefined {
  const at = text.lastIndexOf("####");
  if (at < 0) return undefined;
  const answer = text
    .slice(at + 4)
    .trimStart()
    .split("\n", 1)[0]!
    .trim();
  return answer === "" ? undefined : answer;
}

/** Contents of the last `\boxed{}` whose braces are balanced. */
function lastBoxed(text: string): string | undefined {
  for (let at = text.lastIndexOf("\\boxed{"); at >= 0; at = at === 0 ? -1 : text.lastIndexOf("\\boxed{", at - 1)) {
    let depth = 0;
    for (let i = at + 6; i < text.length; i++) {
      if (text[i] === "{") depth++;
      else if (text[i] === "}" && --depth === 0) return text.slice(at + 7, i);
    }
  }
  return undefined;
}
