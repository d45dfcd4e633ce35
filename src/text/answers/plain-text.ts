const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const symbols: Readonly<Record<string, string>> = {
  ...{ "−": "-", "–": "-", "—": "-", "‐": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∕": "/" },
  ...{ "√": "\\sqrt ", π: "\\pi ", "∞": "\\infty ", "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "±": "\\pm " },
  ...{ "∪": "\\cup ", "∈": "\\in ", "≈": "=", "∅": "\\emptyset ", "°": "^\\circ ", θ: "\\theta ", ⅈ: "i" },
};
const units = "degrees?|percent|feet|foot|inch(?:es)?|cm|mm|km|kg|mph|ft|lbs?|m|g|s|h|L|l|C|F|N|J|W|V|A|K";
const functions =
  "sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|abs|or|and|union|arcsin|arccos|arctan|sinh|cosh|tanh|e|i|x|y|z";
const unit = String.raw`(?!(?:${functions})\b)(?:[A-Za-z]{2,}|(?:${units}))\.?(?: ?\^ ?\{? ?-?\d ?\}?)?`;
const unitTail = new RegExp(
  String.raw`^([-+]?[\d.,/ ]*\d|[-+]?[^A-Za-z]*\\frac ?\{ ?\d+ ?\} ?\{ ?\d+ ?\})(?: ?-? ?)${unit}(?:[ /*'-]+${unit}){0,8}$`,
);
const angle = /(\d+(?:\.\d+)?) ?\^ ?(?:\\circ\b|\{ ?\\circ ?\})/g;

/**
 * An answer in one spelling: without mathematical marks around it, spaces and sizes of LaTeX, currency, percent,
 * degrees, units, and with `«` and `»` for the braces of a set.
 */
export function plainText(answer: string): string {
  let text = withoutWrapping(answer.trim());
  text = text.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (run) => `^{${[...run].map((digit) => superscripts.indexOf(digit)).join("")}}`);
  text = text.replace(/[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]/g, (sign) => ` ${sign.normalize("NFKC")}`).normalize("NFKC");
  text = text.replace(/[^\n -~]/g, (sign) => symbols[sign] ?? sign);
  text = unwrapText(withoutSpacing(text)).replace(/\s+/g, " ").trim();
  text = text
    .replace(/(?:\\?[$€£¥₹]|\bUS\$) ?(?=[\d.])/g, "")
    .replace(/(\d) ?\\?[$€£¥₹%]/g, "$1")
    .replace(/(\d) x (?=\d)/g, "$1 * ")
    .replace(angle, /\\?(?:sin|cos|tan|cot|sec|csc)/.test(text) ? "($1\\pi/180)" : "$1")
    .replace(/\^ ?(?:\\circ\b|\{ ?\\circ ?\})|\\degree\b/g, "")
    .replace(/\\([%$#&_])/g, "$1")
    .replace(/\\(?:lbrace\b|\{)/g, "«")
    .replace(/\\(?:rbrace\b|\})/g, "»")
    .replace(/\\[dtc]frac(?![A-Za-z])/g, "\\frac")
    .replace(/\\frac ?(\d) ?(\d)/g, "\\frac{$1}{$2}")
    .replace(/\\frac ?(\{[^{}]*\}) ?(\w)/g, "\\frac$1{$2}")
    .replace(/\\frac ?(\w)(?=\{)/g, "\\frac{$1}")
    .replace(/\\sqrt ?(\d)(?!\d)/g, "\\sqrt{$1}");
  text = text.replace(/^[\s,;:]+|[\s.,;:]+$/g, "");
  return withoutUnits(text);
}

/** A number without the units or things behind it. */
export function withoutUnits(text: string): string {
  return text.trim().replace(unitTail, "$1").trim();
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

/** Contents of `\text{}` and the like; a last one behind a number stays a word and is dropped as a unit. */
function unwrapText(text: string): string {
  for (let rounds = 0; rounds < 4 && /\\(?:text|math|mbox|operatorname)/.test(text); rounds++)
    text = text.replace(
      /\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname\*?) ?\{([^{}]*)\}/g,
      " $1 ",
    );
  return text;
}
