import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures } from "../text/reference.ts";

/** What a test gives of a message. */
export interface WeighedMessage {
  role: "system" | "user" | "assistant";
  content: string;
  weight?: number;
  spans?: { start: number; end: number; weight: number }[];
}

export interface WeighedChat {
  messages: WeighedMessage[];
  promptWeight: number;
  systemWeight: number;
  trainTurns: "all" | "last";
}

const json = JSON.parse(readFileSync(join(fixtures, "bpe/tokenizer.json"), "utf8")) as {
  model: { vocab: Record<string, number> };
  added_tokens: { id: number; content: string }[];
};

/** Bytes of each token of the byte-level vocabulary, by its id: each of its signs stands for one. */
const bytesOfToken = new Map(Object.entries(json.model.vocab).map(([token, id]) => [id, [...token].length]));
for (const { id, content } of json.added_tokens) bytesOfToken.set(id, Buffer.byteLength(content));

/** A character of the conversation's text. */
interface Place {
  character: string;
  /** Which answer it is of, or else whose prompt. */
  part: number | "system" | "prompt";
  weight: number;
}

/**
 * What each token of a conversation counts, worked out from the characters of its text alone: the text as ChatML writes
 * it, the bytes of each token, and the rule that a token counts what most of its signs count, the first of equals.
 */
export function expectedWeights(chat: WeighedChat, ids: ArrayLike<number>): number[] {
  const places = charactersOf(chat);
  const byBytes = places.flatMap((place) => Array.from({ length: Buffer.byteLength(place.character) }, () => place));
  const answers = chat.messages.flatMap(({ role }, k) => (role === "assistant" ? [k] : []));
  const trains = (k: number): boolean =>
    chat.messages[k]!.weight !== 0 && (chat.trainTurns === "all" || k === answers.at(-1));
  const lastAnswer = answers.findLast(trains);
  let at = 0;
  const tokens = Array.from(ids, (id) => {
    const own = new Set(byBytes.slice(at, (at += bytesOfToken.get(id)!)));
    return [...own];
  });
  if (at !== byBytes.length) throw new Error(`the tokens have ${at} bytes, the text ${byBytes.length}`);
  const lastStart = tokens.findIndex(([first]) => first!.part === lastAnswer);
  return tokens.map((own, t) => {
    const { part } = own[0]!;
    if (t === 0) return 0;
    if (typeof part === "number") return trains(part) ? (chat.messages[part]!.weight ?? 1) * mostOf(own) + 0 : 0;
    return t < lastStart ? { system: chat.systemWeight, prompt: chat.promptWeight }[part] : 0;
  });
}

function charactersOf({ messages }: WeighedChat): Place[] {
  const places: Place[] = [];
  const write = (text: string, part: Place["part"]): void => {
    for (const character of text) places.push({ character, part, weight: 1 });
  };
  if (messages[0]!.role !== "system") write("<|im_start|>system\nYou help.<|im_end|>\n", "prompt");
  messages.forEach(({ role, content, spans = [] }, k) => {
    const around = role === "system" ? "system" : "prompt";
    write(`<|im_start|>${role}\n`, around);
    const begin = places.length;
    write(`${content}<|im_end|>`, role === "assistant" ? k : around);
    for (const { start, end, weight } of spans) for (let i = start; i < end; i++) places[begin + i]!.weight = weight;
    write("\n", around);
  });
  return places;
}

function mostOf(places: readonly Place[]): number {
  const signs = places.filter(({ character }) => !/^\s$/.test(character));
  const counted = (signs.length > 0 ? signs : places).map(({ weight }) => weight);
  const times = (value: number): number => counted.filter((other) => other === value).length;
  return counted.reduce((best, value) => (times(value) > times(best) ? value : best), counted[0]!);
}
