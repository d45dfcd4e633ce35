import type { RandomStream } from "../../../src/system/random.ts";
import { parseBoundedJson } from "../../../src/system/bounded-json.ts";
import { createTokenizer, type Tokenizer } from "../../../src/text/tokenizer.ts";
import { table } from "../../text/conformance.ts";
import { changedJson, type Json } from "../json-trees.ts";
import { oneOf, refusing, target, type Target } from "../target.ts";

const odd = ["", " hi  there 12\n", "ﷺﬁ é e\u0301 ▁x\u0000\ud83d", "<s>[MASK] aaaaaaaaaaaaaaaaaaaaaaaaaaaa</s>"];

export const tokenizerSamples = (): { [key: string]: Json }[] =>
  Object.values(table.tokenizers)
    .map(({ json }) => shortened(json as unknown as { [key: string]: Json }))
    .filter((json) => JSON.stringify(json).length < 40_000);

/** The text of a `tokenizer.json` with values changed; every other time with a step of another tokenizer. */
export const drawTokenizer = (sound: readonly { [key: string]: Json }[], draws: RandomStream, most?: number): string =>
  changedJson(withOtherStep(oneOf(draws, sound), draws), draws, most);

export function tokenizerOf(text: string, config: Readonly<Record<string, unknown>> = {}): Tokenizer {
  const json = parseBoundedJson(text, { uniqueKeys: true });
  return createTokenizer({ json, config, chatTemplate: undefined, endIds: [2], files: {} }, "fuzzed");
}

/** `tokenizer.json` of every kind; what is still one encodes and decodes texts. */
export const tokenizer = (): Target => {
  const sound = tokenizerSamples();
  return target((draws) => {
    const text = drawTokenizer(sound, draws);
    const config = draws.next() < 0.1 ? { eos_token: { content: "</s>" }, unk_token: "a", add_bos_token: true } : {};
    refusing(() => {
      const { encode, decode, piece, bytes } = tokenizerOf(text, config);
      for (const each of odd) {
        const ids = refusing(() => encode(each, { addSpecialTokens: true })) ?? [0, 1, 2, 3];
        refusing(() => decode(ids));
        for (const id of ids.slice(0, 3)) refusing(() => [piece(id), bytes(id)]);
      }
    }, SyntaxError);
  });
};

/** Long vocabularies add nothing but time. */
function shortened(json: { [key: string]: Json }): { [key: string]: Json } {
  const { model, ...rest } = json as { model: { [key: string]: Json } };
  const { vocab, merges } = model as { vocab: Json; merges?: Json[] };
  const few = Array.isArray(vocab)
    ? vocab.slice(0, 120)
    : Object.fromEntries(Object.entries(vocab as object).slice(0, 300));
  const known = (token: string): boolean => Array.isArray(vocab) || Object.hasOwn(few, token);
  const kept = merges
    ?.filter((merge) =>
      (typeof merge === "string" ? merge.split(" ") : (merge as string[])).every(
        (part, _, parts) => known(part) && known(parts.join("")),
      ),
    )
    .slice(0, 100);
  return { ...rest, model: { ...model, vocab: few as Json, ...(kept && { merges: kept }) } };
}

function withOtherStep(json: { [key: string]: Json }, draws: RandomStream): Json {
  if (draws.next() < 0.5) return json;
  const other = oneOf(draws, Object.values(table.tokenizers)).json as unknown as { [key: string]: Json };
  const step = oneOf(draws, ["normalizer", "pre_tokenizer", "post_processor", "decoder"]);
  return { ...json, [step]: other[step] ?? null };
}
