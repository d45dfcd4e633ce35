const number = String.raw`(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+`;
const anyNumber = new RegExp(
  String.raw`(?:(?<![\w)}])[-−])?(?:\\?[$€£])?(?:(?:${number})(?:[eE][-+]?\d+)?(?:\s?\/\s?\d+)?(?:\\?%)?)`,
  "g",
);
const month = "(?:January|February|March|April|May|June|July|August|September|October|November|December)";
const group = String.raw`\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]{0,200}\}){0,200}\}){0,200}\}`;
const enclosed = String.raw`[([](?:[^()[\]A-Za-z\n]|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|\\[A-Za-z]+){1,200}[)\]]`;
const letter = String.raw`(?<![A-Za-z])[A-Za-z](?![A-Za-z])`;
const command = String.raw`\\(?:[A-Za-z]+|[%$])`;
const atom = String.raw`(?:${number}|${command}|${group}|${enclosed}|${letter}|[√π∞½⅓⅔¼¾²³!'%^_])`;
const factors = String.raw`(?:${atom}(?: ?(?=\\)| (?=\{))?){1,60}`;
const sign = String.raw` ?(?:[-−+*/=×·÷<>≤≥±]|\*\*) ?`;

/** The tokens that may hold a final value, in the order of preference at one place. */
const token = new RegExp(
  [
    String.raw`\$\$(?<display>[^$]{1,2000})\$\$`,
    String.raw`\\\[(?<bracketed>[^$]{1,2000}?)\\\]`,
    String.raw`\\\((?<inline>[^$]{1,2000}?)\\\)`,
    String.raw`(?<!\\)\$(?<dollars>(?=\S)[^$\n]{1,1000}(?<=\S))\$(?!\d)`,
    String.raw`(?<whole>\d{4}-\d{2}-\d{2}|\d{1,2}\/\d{1,2}\/\d{4}|${month} \d{1,2}(?:, \d{4})?|\d{1,2} ${month}(?: \d{4})?)`,
    String.raw`(?<clock>\d+(?::\d+)+(?:\s?[ap]\.?m\b\.?)?|(?<![\d.,])\d{1,2}\s?[ap]\.?m\b\.?)`,
    String.raw`(?<version>\d+(?:\.\d+){2,})`,
    String.raw`(?<run>(?:(?<![\w)}])[-−+±])?(?:\\?[$€£])?(?<![A-Za-z])${factors}(?:${sign}[-−]?${factors}){0,60})`,
  ].join("|"),
  "gi",
);
const marks = /[\\^_√π∞½⅓⅔¼¾²³]|\d[A-Za-z]|[A-Za-z]\d|[A-Za-z]\(|[=<>] ?-?[A-Za-z]|[A-Za-z] ?[-+*/=<>]|\d!/;
const onlyName = /^\\?[A-Za-z]+(?:_\{?\w+\}?)?(?:\([A-Za-z]\))?$/;

/**
 * The numbers, formulas, times and dates of a text, as written. What stands inside a formula is no value of its own.
 *
 * @param text its last 20,000 characters are looked at
 */
function valuesOf(text: string): { text: string; isAside: boolean }[] {
  const found: { text: string; isAside: boolean }[] = [];
  for (const { groups, 0: matched } of text.slice(-20_000).matchAll(token)) {
    const { run, display, bracketed, inline, dollars } = groups!;
    const formula = (display ?? bracketed ?? inline ?? dollars)?.trim();
    if (formula !== undefined && formula !== "") found.push({ text: formula, isAside: onlyName.test(formula) });
    else if (run === undefined) found.push({ text: matched, isAside: false });
    else found.push(...valuesOfRun(run.trim()));
  }
  return found;
}

/** Plain numbers one by one; a formula as a whole. */
function valuesOfRun(run: string): { text: string; isAside: boolean }[] {
  const isCurrency = /^\\[$€£]/.test(run);
  // "42!" is more often said loudly than meant as a factorial.
  if (/^[\d.,]+!$/.test(run)) return [{ text: run.slice(0, -1), isAside: false }];
  const isComparison = /[<>≤≥]/.test(run);
  const plain = run.replace(/\\?%/g, "").replace(/^[-−+]?\\?[$€£]/, "");
  if (!isCurrency && marks.test(plain) && /[\dA-Za-z√π∞½⅓⅔¼¾]/.test(plain) && !/^[A-Za-z]$/.test(plain)) {
    const text = run.replace(/[!'^_]$/, (mark) => (mark === "!" ? mark : ""));
    return [{ text, isAside: onlyName.test(text) }];
  }
  if (isComparison) return [{ text: run, isAside: true }];
  return [...run.matchAll(anyNumber)].map(([text]) => ({ text, isAside: false }));
}

/** The last value of a text; a variable or a comparison by itself only if there is nothing else. */
export function lastValue(text: string): string | undefined {
  const values = valuesOf(text);
  return (values.findLast(({ isAside }) => !isAside) ?? values.at(-1))?.text;
}

/** The first value of a text. */
export function firstValue(text: string): string | undefined {
  const values = valuesOf(text);
  return (values.find(({ isAside }) => !isAside) ?? values[0])?.text;
}
