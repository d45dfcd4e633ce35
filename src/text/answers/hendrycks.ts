/**
 * The string normalisation with which the MATH benchmark compares answers (arXiv 2103.03874): no mathematics, spellings
 * only. `\frac12`, `1/2` and `0.5` become `\frac{1}{2}`; what it does not know stays different.
 */
export function hendrycksForm(answer: string): string {
  let text = answer
    .replaceAll("\n", "")
    .replaceAll("\\!", "")
    .replaceAll("\\\\", "\\")
    .replace(/[td]frac/g, "frac")
    .replace(/\\left|\\right/g, "")
    .replace(/\^\{\\circ\}|\^\\circ/g, "")
    .replaceAll("\\$", "");
  const unit = text.indexOf("\\text{ ");
  if (unit >= 0) text = text.slice(0, unit);
  text = text.replace(/\\?%/g, "").replace(/(^|[ {])\./g, "$10.");
  const sides = text.split("=");
  if (sides.length === 2 && sides[0]!.length <= 2) text = sides[1]!;
  text = text.replace(/\\sqrt(?=[^{])(.)/g, "\\sqrt{$1}").replaceAll(" ", "");
  text = text.replace(/\\frac([^{])(\{[^}]*\}|[^{])/g, (_, top: string, bottom: string) => {
    return `\\frac{${top}}${bottom.startsWith("{") ? bottom : `{${bottom}}`}`;
  });
  if (text === "0.5") text = "\\frac{1}{2}";
  return text.replace(/^(-?\d+)\/(-?\d+)$/, "\\frac{$1}{$2}");
}
