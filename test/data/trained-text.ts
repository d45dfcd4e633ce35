import { expect } from "@jest/globals";
import { fromRows, tokenizeDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import type { Tokenizer } from "../../src/text/index.ts";
import type { Said, TemplateCase } from "./random-chats.ts";

export type Row = Readonly<Record<string, unknown>>;

/** The same random rows on every run. */
export const sameRows = { seed: 15 } as const;

/** What trains of one row, as text, whole and by weight; or why the row is left out. */
export async function read(row: Row, tokenizer: Tokenizer, options: TokenizeOptions = {}) {
  const dataset = fromRows([row, anotherOf(row)]);
  const tokens = await tokenizeDataset(dataset, tokenizer, options);
  const place = tokens.rowIds.indexOf(0);
  const { format } = dataset;
  if (place < 0) return { format, skipped: Object.keys(tokens.stats.skipped) };
  const { ids, response, endOfTurn, dataWeights } = tokens.row(place);
  const textOf = (of: (t: number) => boolean): string => tokenizer.decode(ids.filter((_, t) => of(t)));
  const isTrained = (t: number): boolean => response[t] === 1;
  return {
    ...{ format, ids, response, whole: tokenizer.decode(ids), trained: textOf(isTrained) },
    ends: endOfTurn.reduce((sum, mark) => sum + mark, 0),
    weighing: (weight: number) => textOf((t) => isTrained(t) && (dataWeights?.[t] ?? 1) === weight),
  };
}

/** A row of the same columns that always trains, as a dataset without any is refused. */
function anotherOf(row: Row): Row {
  const asked = { role: "user", content: "Hm?" };
  const chat = [asked, { role: "assistant", content: "Yes." }];
  const columns: Record<string, unknown> = {
    ...{ messages: chat, conversations: chat, chosen: chat, rejected: [asked, { role: "assistant", content: "No." }] },
    ...{ prompt: "Hm?", response: "Yes.", completion: "Yes.", instruction: "Hm?", output: "Yes." },
    ...{ question: "Hm?", answer: "Yes.", text: "Yes. No.", reward_model: { ground_truth: "Yes." } },
  };
  const asText = (name: string): boolean => typeof row[name] === "string" && /^(chosen|rejected)$/.test(name);
  return Object.fromEntries(Object.keys(row).map((name) => [name, asText(name) ? `Hm? ${name}` : columns[name]]));
}

/** Of a conversation, in whatever columns a row holds it, exactly the given answers train, with their ends. */
export function expectAnswers(
  found: Awaited<ReturnType<typeof read>>,
  each: TemplateCase,
  { chat, trains }: { chat: readonly Said[]; trains: readonly number[] },
): void {
  const texts = trains
    .filter((k) => chat[k]!.weight !== 0)
    .map((k) => ({ text: each.trained(chat, k), weight: chat[k]!.weight ?? 1 }));
  if (found.skipped !== undefined) {
    expect([found.skipped, mayBeLeftOut(each, chat) || texts.length === 0]).toEqual([found.skipped, true]);
    return;
  }
  expect(found.trained).toBe(texts.map(({ text }) => text).join(""));
  expect(found.ends).toBe(texts.length);
  for (const weight of [1, 0.5, -2]) {
    const weighing = texts.filter((text) => text.weight === weight).map(({ text }) => text);
    expect([weight, found.weighing(weight)]).toEqual([weight, weighing.join("")]);
  }
}

/** Where no answer says anything, or one begins with white space, which may share a token with what stands before it. */
function mayBeLeftOut(each: TemplateCase, chat: readonly Said[]): boolean {
  const answers = [...chat.keys()].filter((k) => chat[k]!.role === "assistant");
  const isSilent = ({ text, thinking = "", calls = [] }: Said): boolean =>
    text === "" && thinking === "" && calls.length === 0;
  return answers.every((k) => isSilent(chat[k]!)) || answers.some((k) => /^\s/.test(each.trained(chat, k)));
}
