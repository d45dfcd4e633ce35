import { readFileSync } from "node:fs";
import { stream } from "../../../src/system/random.ts";

const { equal, different } = JSON.parse(readFileSync(new URL("pairs.json", import.meta.url), "utf8")) as Record<
  "equal" | "different",
  Record<string, [string, string][]>
>;
const answers = [equal, different].flatMap((kinds) => Object.values(kinds).flat(2));
const pieces = [
  "0",
  "1",
  "2",
  "7",
  "42",
  "1,000",
  "3.5",
  ".5",
  "1e3",
  "1e9999",
  "٣",
  "½",
  "²",
  "x",
  "y",
  "n",
  "e",
  "i",
  "A",
  "\\pi",
  "+",
  "-",
  "*",
  "/",
  "^",
  "_",
  "=",
  "<",
  ">",
  "\\le",
  "\\ge",
  "\\ne",
  "\\approx",
  "\\pm",
  "\\mp",
  "\\cdot",
  "\\over",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
  "|",
  "\\{",
  "\\}",
  "\\left(",
  "\\right)",
  "«",
  "»",
  "\\langle",
  "\\rangle",
  ":",
  "!",
  '"',
  ",",
  ", ",
  ";",
  " or ",
  " and ",
  "\\cup ",
  "\\in ",
  "\\setminus ",
  "\\mid ",
  "或",
  "元",
  " ",
  "\n",
  "~",
  "\\,",
  "\\\\",
  "\\frac{",
  "\\sqrt{",
  "\\sqrt[3]{",
  "\\text{",
  "\\binom{",
  "\\log_",
  "\\sin ",
  "\\overline{",
  "\\mathbb{R}",
  "\\infty",
  "\\begin{pmatrix}",
  "\\end{pmatrix}",
  "&",
  "\\begin{cases}",
  "\\end{cases}",
  "\\boxed{",
  "####",
  "$",
  "$$",
  "\\(",
  "\\)",
  "</think>",
  "<answer>",
  "</answer>",
  "The answer is ",
  "Answer: ",
  "so ",
  " cm",
  " square feet",
  "^\\circ",
  "\\%",
  "\\$",
  "yes",
  "red",
  "5:00 PM",
  "2020-05-05",
  "\u0000",
  "\ud83d",
  "😀",
  "\u202e",
  "__proto__",
  "constructor",
  "\\",
  "NaN",
];

/**
 * Responses and references as no person would write them: pieces of notation in any order, nested and repeated, answers
 * with characters changed, boxed and not. The same for the same seed and number.
 */
export function generatedAnswer(seed: number, at: number): { response: string; reference: string } {
  const { next, below } = stream(seed, at);
  const one = <T>(items: readonly T[]): T => items[below(items.length)]!;

  const mixed = (): string => Array.from({ length: 1 + below(24) }, () => one(pieces)).join("");
  const repeated = (): string => one(pieces).repeat(1 + below(400)) + one(answers) + one(pieces).repeat(below(400));
  const changed = (): string => {
    const letters = [...one(answers)];
    for (let changes = 1 + below(3); changes > 0; changes--)
      letters.splice(below(letters.length + 1), below(3), ...(next() < 0.6 ? [one(pieces)] : []));
    return letters.join("");
  };
  const joined = (): string =>
    `${one(answers)}${one([",", " or ", "=", "<", ">", "\\cup ", ":", "+", " "])}${changed()}`;
  const text = one([mixed, mixed, changed, changed, joined, repeated])();
  const response = one([
    (t: string) => t,
    (t: string) => `\\boxed{${t}}`,
    (t: string) => `so $${t}$.`,
    (t: string) => `#### ${t}`,
  ])(text);
  return { response, reference: one([() => one(answers), () => text, changed, mixed])() };
}
