import { firstValue, lastValue } from "./final-value.ts";
import { valueOf } from "./forms.ts";
import { isReadable, readAnswer } from "./read-answer.ts";

/**
 * How an answer was found: the last `\boxed{}`; what stands behind the last `####`, or in the last `<answer>`; an
 * answer sentence ("the answer is", "answer:"); the whole text; the last number or formula.
 */
export type ExtractionRule = "boxed" | "marked" | "sentence" | "whole" | "lastNumber";

/** An answer found in a response: its text as written, and by which rule it was found. */
export interface ExtractedAnswer {
  readonly text: string;
  readonly by: ExtractionRule;
}

// "A:" counts at the start of the last line only: elsewhere it may be the first of several choices.
const sentence =
  /\banswer(?:\s{1,4}(?:is|equals)\b|[ *]{0,6}[:=：])|答案(?:是|为|[ *]{0,6}[:：])|^[ \t]*A:(?=.*\s*(?![\s\S]))/gim;
const mostSentences = 20;
const words = /(?<![\\A-Za-z])(?!(?:sin|cos|tan|log|ln|exp|sqrt|pi)\b)[A-Za-z]{2,}/;

/**
 * The answer that a response gives, as written; the first rule in the order of `ExtractionRule` that finds one wins.
 * Nothing but the response is looked at, so a box in the question cannot be taken for an answer.
 *
 * @returns undefined for a blank text
 */
export function extractAnswer(response: string): ExtractedAnswer | undefined {
  const text = behindThinking(response);
  const boxed = lastBoxed(text);
  if (boxed !== undefined) return { text: withoutLeadingWords(boxed), by: "boxed" };
  const marked = lastMarked(text);
  if (marked !== undefined) return { text: withoutLeadingWords(marked), by: "marked" };
  const said = lastSentence(text);
  if (said !== undefined) return { text: said, by: "sentence" };
  const whole = text.trim();
  if (whole === "") return undefined;
  if (isAnswer(whole)) return { text: whole, by: "whole" };
  const last = lastValue(text);
  return last === undefined ? { text: whole, by: "whole" } : { text: last, by: "lastNumber" };
}

/** What a model says behind its thinking, unless it says nothing there. */
function behindThinking(response: string): string {
  const [end] = [...response.matchAll(/<\/(?:think(?:ing)?|thought|reasoning)>/gi)].slice(-1);
  const rest = end === undefined ? "" : response.slice(end.index + end[0].length);
  return rest.trim() === "" ? response : rest;
}

/** "Answer: 5" and "The total is 5" are 5, if that is all. */
function withoutLeadingWords(answer: string): string {
  if (answer.length > 300 || isReadable(answer)) return answer;
  const plain = answer.replace(/\\text(?:bf|it|rm)?\s?\{([^{}]*)\}/g, "$1");
  const [, rest] =
    /^\W{0,4}(?:the )?(?:final )?answer(?: is|\s?[:=])\s*(.+)$/is.exec(plain) ??
    /^\W{0,4}[\p{L}\s'’,()-]*(?:\b(?:is|are|was|were|equals|be|of|to)\b|[:=：是为])\s*(.+)$/su.exec(plain) ??
    /^(?:\p{L}{2,}\s)+([-+$\\(\d].*)$/su.exec(plain) ??
    [];
  const isAnswerWord = /^\W{0,4}(?:the )?(?:final )?answer/i.test(plain);
  return rest !== undefined && (isAnswerWord || isReadable(rest)) ? rest.trim() : answer;
}

/** A text that is mathematics throughout, but no sum still to be done, and no words taken for variables. */
function isAnswer(text: string): boolean {
  const form = valueOf(readAnswer(text));
  if (form.kind === "choice") return !text.includes("\n");
  if (form.kind !== "formula" && form.kind !== "equation") return form.kind !== "text";
  return !/^[\d.+\-*/()\s]*$/.test(form.text) && !words.test(text);
}

/** The answer in a reference: a solution that marks its answer, or the answer itself. */
export function referenceAnswer(reference: string): string | undefined {
  const found = extractAnswer(reference);
  const isShort = found?.by === "lastNumber" && reference.trim().split(/\s+/, 6).length < 6;
  return isShort ? reference.trim() : found?.text;
}

/** Contents of the last `\boxed{}` or `\fbox{}` that has balanced braces and is not blank. One pass. */
export function lastBoxed(text: string): string | undefined {
  let best: { start: number; content: string } | undefined;
  const first = text.search(/\\(?:boxed|fbox)/);
  const opened: { start: number; isBox: boolean }[] = [];
  for (let i = first; i >= 0 && i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "{")
      opened.push({ start: i + 1, isBox: /\\(?:boxed|fbox) ?$/.test(text.slice(Math.max(0, i - 8), i)) });
    else if (text[i] === "}") {
      const group = opened.pop();
      if (!group?.isBox || group.start < (best?.start ?? 0)) continue;
      const content = text.slice(group.start, i).trim();
      if (content !== "") best = { start: group.start, content };
    }
  }
  if (best) return best.content;
  return first < 0 ? undefined : [...text.matchAll(/\\boxed +([^\s{}$]+)/g)].at(-1)?.[1];
}

/** Contents of the last `<answer>`, or the rest of the line behind the last `####`, or the next line. A heading with text below it marks no answer. */
function lastMarked(text: string): string | undefined {
  const tagged = /<answer>((?:(?!<answer>)[\s\S]){1,2000}?)<\/answer>(?![\s\S]*<answer>)/i.exec(text)?.[1]?.trim();
  if (tagged !== undefined && tagged !== "") return tagged;
  const at = text.lastIndexOf("####");
  if (at < 0) return undefined;
  const [line = "", ...below] = text
    .slice(at + 4)
    .trim()
    .split("\n");
  const answer = line.trim();
  if (answer === "") return undefined;
  const isHeading = below.some((other) => other.trim() !== "") && !isReadable(withoutLeadingWords(answer));
  return isHeading ? undefined : answer;
}

function lastSentence(text: string): string | undefined {
  for (const { 0: words, index } of [...text.matchAll(sentence)].slice(-mostSentences).reverse()) {
    const rest = text.slice(index + words.length, index + words.length + 2000).trimStart();
    const answer = answerOfSentence(rest.replace(/^[*_:\s]+/, ""));
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** Formula or first clause if it can be read, else the first number of the sentence. */
function answerOfSentence(rest: string): string | undefined {
  const formula = /^(?:\$\$?([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\])/s.exec(rest);
  const inner = formula && (formula[1] ?? formula[2] ?? formula[3]);
  if (inner && isReadable(inner)) return inner.trim();
  const whole = (/^.*?(?=[.;!?](?:["'*)\s]|$)|\n|$)/s.exec(rest)?.[0] ?? "").replace(/[*\s]+$/, "");
  if (whole === "") return undefined;
  if (isReadable(whole)) return whole;
  const cause = whole.split(/,? (?:because|since|so|as|which|for|when|where) /, 1)[0]!.trim();
  if (isReadable(cause)) return cause;
  const clause = cause.split(/,\s/, 1)[0]!.trim();
  if (isReadable(clause)) return clause;
  return firstValue(whole) ?? whole;
}
