import { isRecord } from "../../system/is-record.ts";
import { isId, show } from "../tokenizer-json.ts";
import { createStep, inOrder, type Create, type Options } from "./step.ts";

/** Puts the special tokens around the ids of a text. */
export type PostProcessor = (ids: readonly number[]) => readonly number[];
type IdOf = (token: string) => number | undefined;

/** Every post-processor that Python's `tokenizers` knows, by type. */
const postProcessors: ReadonlyMap<unknown, Create<PostProcessor, IdOf>> = new Map<unknown, Create<PostProcessor, IdOf>>(
  [
    ["ByteLevel", () => (ids) => ids],
    ["TemplateProcessing", template],
    ["BertProcessing", betweenTwo],
    ["RobertaProcessing", betweenTwo],
    [
      "Sequence",
      ({ processors }, idOf) =>
        inOrder(((processors ?? []) as unknown[]).map((step) => createPostProcessor(step, idOf))),
    ],
  ],
);

/** @throws Error for a step that is not known, or that names a token without an id */
export function createPostProcessor(step: unknown, idOf: IdOf): PostProcessor {
  if (step === null || step === undefined) return (ids) => ids;
  return createStep(step, postProcessors, "post-processor", idOf);
}

function betweenTwo({ cls, sep }: Options): PostProcessor {
  const [before, after] = [idOfPair(cls), idOfPair(sep)];
  return (ids) => [before, ...ids, after];
}

function idOfPair(pair: unknown): number {
  const id: unknown = Array.isArray(pair) ? pair[1] : undefined;
  if (isId(id)) return id;
  throw new Error(`the post-processor names ${show(pair)} where a token and its id were expected`);
}

function template({ single, special_tokens }: Options, idOf: IdOf): PostProcessor {
  const parts = (Array.isArray(single) ? (single as unknown[]) : []).map((part) => {
    const token: unknown = isRecord(part) && isRecord(part.SpecialToken) ? part.SpecialToken.id : undefined;
    return typeof token === "string" ? idsOf(token, special_tokens, idOf) : undefined;
  });
  if (!parts.includes(undefined)) throw new Error("the post-processor has no place for the text");
  return (ids) => parts.flatMap((part) => part ?? [...ids]);
}

function idsOf(token: string, special: unknown, idOf: IdOf): number[] {
  const described: unknown = isRecord(special) ? special[token] : undefined;
  const ids: unknown = isRecord(described) ? described.ids : undefined;
  if (Array.isArray(ids) && ids.every(isId)) return ids;
  if (ids !== undefined) throw new Error(`the post-processor gives the token ${show(token)} the ids ${show(ids)}`);
  const id = idOf(token);
  if (id === undefined) throw new Error(`the post-processor names the token ${show(token)}, which has no id`);
  return [id];
}
