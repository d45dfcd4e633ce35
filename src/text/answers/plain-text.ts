const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const symbols: Readonly<Record<string, string>> = {
  ...{ "−": "-", "–": "-", "—": "-", "‐": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∕": "/", "∶": ":" },
  ...{ "√": "\\sqrt ", π: "\\pi ", "∞": "\\infty ", "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "±": "\\pm " },
  ...{ "∪": "\\cup ", "∈": "\\in ", "≈": "\\approx ", "∅": "\\emptyset ", "°": "^\\circ ", θ: "\\theta ", ⅈ: "i" },
  ...{ "∓": "\\mp ", "∖": "\\setminus ", "、": ", ", 或: " or ", 和: " and ", 与: " and ", 且: " and ", "。": "." },
};
const currencies: Readonly<Record<string, string>> = { $: "dollars", "€": "euros", "£": "pounds sterling", "¥": "yen" };
const quotedSigns = new RegExp(`"(?:degrees|${Object.values(currencies).join("|")})"`, "g");
const angle = /(\d+(?:\.\d+)?) ?\^ ?(?:\\circ\b|\{ ?\\circ ?\})/g;
const spaceOfThousands = /(?<=\d)(?:\\[,;: ]|~|[\u00a0\u2009\u202f])(?=\d{3}(?!\d))/g;

/**
 * An answer in one spelling: without mathematical marks around it, spaces and sizes of LaTeX; with `«` and `»` for the
 * braces of a set, and `"` around units and words.
 */
export function plainText(answer: string): string {
  let text = withoutWrapping(answer.trim()).replaceAll('"', " ");
  text = text.replace(spaceOfThousands, "");
  text = text.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (run) => `^{${[...run].map((digit) => superscripts.indexOf(digit)).join("")}}`);
  text = text.replace(/[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]/g, (sign) => ` ${sign.normalize("NFKC")}`).normalize("NFKC");
  text = text.replace(/[^\n -~]/g, (sign) => symbols[sign] ?? sign);
  text = withQuotedWords(withoutSpacing(text)).replace(/\s+/g, " ").trim();
  text = withQuotedSigns(text.replace(/^-?\d{1,3}(?: \d{3})+(?:\.\d+)?$/, (number) => number.replaceAll(" ", "")))
    .replace(/,? (and|or),? /g, " $1 ")
    .replace(/ ?\\(?:lor|vee)(?![A-Za-z]) ?/g, " or ")
    .replace(/ ?\\(?:land|wedge)(?![A-Za-z]) ?/g, " and ")
    .replace(/(\d) x (?=\d)/g, "$1 * ")
    .replace(/\\([%$#&_])/g, "$1")
    .replace(/ ?\\colon(?![A-Za-z]) ?/g, ":")
    .replace(/\\(?:lbrace\b|\{)/g, "«")
    .replace(/\\(?:rbrace\b|\})/g, "»")
    .replace(/\\[dtc]frac(?![A-Za-z])/g, "\\frac")
    .replace(/\\frac ?(\d) ?(\d)/g, "\\frac{$1}{$2}")
    .replace(/\\frac ?(\{[^{}]*\}) ?(\w)/g, "\\frac$1{$2}")
    .replace(/\\frac ?(\w)(?=\{)/g, "\\frac{$1}")
    .replace(/\\sqrt ?(\d)(?!\d)/g, "\\sqrt{$1}")
    .replace(/(\.\d+) ?(?:\\[lc]?dots|\.{3})$/, "$1\\ldots");
  text = text.replace(/^[\s,;:]+|[\s.,;:]+$/g, "");
  return text.replace(/^(?:(?:about|approximately|approx\.?|roughly|exactly|only)\b|\\approx(?![A-Za-z])|=) ?/i, "");
}

/** Texts that differ in spaces only become one, and words that differ in case; `1 2` is not `12`. */
export function spelled(text: string): string {
  const plain = text.replaceAll('"', " ").replace(/\s+/g, " ").trim();
  const close = plain.replace(/ (?![\p{L}\p{N}])|(?<![\p{L}\p{N}]) /gu, "");
  const isWords = /^[\p{L}\p{M}\s.,'’()-]+$/u.test(close) && !/^\(?[K-Zk-z]\)?$/.test(close);
  return isWords ? close.toLowerCase() : close;
}

function withoutWrapping(text: string): string {
  for (let rounds = 0; rounds < 4; rounds++) {
    const inner =
      /^(?:\$\$?([^$]+)\$\$?|\\\((.+)\\\)|\\\[(.+)\\\]|\*\*(.+)\*\*|`([^`]+)`)[.,;]?$/s.exec(text) ??
      /^\\boxed ?\{([^{}]+)\}$/.exec(text);
    const found = inner?.slice(1).find((group) => group !== undefined);
    if (found === undefined) return text;
    text = found.trim();
  }
  return text;
}

function withoutSpacing(text: string): string {
  return text
    .replace(/\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\.?/g, "")
    .replace(/\\(?:displaystyle|textstyle|limits|nolimits)(?![A-Za-z])/g, "")
    .replace(/\\!|\{,\}(?=\d{3})/g, (mark) => (mark === "\\!" ? "" : ","))
    .replace(/(?<!\\)\\[,;: ]|\\q?quad(?![A-Za-z])|~/g, " ");
}

/** Contents of `\text{}` and the like: words in quotation marks, all else as it is. */
function withQuotedWords(text: string): string {
  for (let rounds = 0; rounds < 4 && /\\(?:text|math|mbox|hbox|operatorname)/.test(text); rounds++)
    text = text
      .replace(/\\(?:math(?:rm|bf|it|sf)|operatorname\*?) ?\{([^{}]*)\}/g, " $1 ")
      .replace(/\\math(?:rm|bf|it|sf) (?=[A-Za-z](?![A-Za-z]))/g, " ")
      .replace(
        /\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|[mh]box) ?\{([^{}]*)\}/g,
        (_, words: string, at: number, all: string) =>
          quotedWords(words.trim(), /(?:[\w})\]]|\\pi) ?$/.test(all.slice(Math.max(0, at - 4), at))),
      );
  return text;
}

function quotedWords(words: string, isBehindValue: boolean): string {
  const joint = /^,?\s*(and|or)\s*,?$/i.exec(words);
  if (joint) return ` ${joint[1]!.toLowerCase()} `;
  if (isBehindValue && /^\([\p{L}\s-]{2,}\)$/u.test(words)) return ` "${words.slice(1, -1)}" `;
  if (/^[A-Z](?:(?:, ?| ?,? and | or )[A-Z])+$/.test(words)) return ` ${words} `;
  const isWord = /^\p{L}[\p{L}\p{M}\s.'’\\/-]*$/u.test(words) && (words.length > 1 || isBehindValue);
  return isWord ? ` "${words.replaceAll("\\", "")}" ` : ` ${words} `;
}

/** Currency, percent and degrees behind their number, as units. In a calculation they are left out. */
function withQuotedSigns(text: string): string {
  const isTrigonometric = /\\?(?:sin|cos|tan|cot|sec|csc)/.test(text);
  return text
    .replace(/(?:\\?([$€£¥])|\bUS\$) ?([\d.,]*\d)(?! ?")/g, (_, sign: string, number: string) => {
      return `${number} "${currencies[sign] ?? "dollars"}"`;
    })
    .replace(/\\?[$€£¥₹] ?(?=[\d.])/g, "")
    .replace(/(\d) ?\\?([$€£¥])/g, (_, digit: string, sign: string) => `${digit} "${currencies[sign]!}"`)
    .replace(/(\d) ?(?:\\?%|\\?₹)/g, "$1")
    .replace(/\^ ?(?:\\circ|\{ ?\\circ ?\}) ?(?:"?([CF])"?)(?![A-Za-z])/g, ' "°$1"')
    .replace(angle, isTrigonometric ? "($1\\pi/180)" : '$1 "degrees"')
    .replace(/\^ ?(?:\\circ\b|\{ ?\\circ ?\})|\\degree\b/g, "");
}

/** For a formula: the marks of `plainText` for units that stand in the midst of it. */
export function withoutQuotedSigns(text: string): string {
  return text.replace(quotedSigns, "");
}
