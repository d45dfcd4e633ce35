import { isRecord } from "../../system/is-record.ts";
import { show } from "../tokenizer-json.ts";

/** Puts the special tokens around the ids of a text. */
export type PostProcessor = (ids: readonly number[]) => readonly number[];
type Options = Readonly<Record<string, unknown>>;

/** @throws Error for a step that is not known, or that names a token without an id */
export function createPostProcessor(step: unknown, idOf: (token: string) => number | undefined): PostProcessor {
  if (step === null || step === undefined) return (ids) => ids;
  if (!isRecord(step)) throw new Error(`the post-processor ${show(step)} is not known`);
  if (step.type === "ByteLevel") return (ids) => ids;
  if (step.type === "TemplateProcessing") return template(step, idOf);
  if (step.type === "BertProcessing" || step.type === "RobertaProcessing") {
    const [before, after] = [idOfPair(step.cls), idOfPair(step.sep)];
    return (ids) => [before, ...ids, after];
  }
  if (step.type !== "Sequence") throw new Error(`the post-processor ${show(step.type)} is not known`);
  const steps = ((step.processors ?? []) as unknown[]).map((each) => createPostProcessor(each, idOf));
  return (ids) => steps.reduce((processed, each) => each(processed), ids);
}

function idOfPair(pair: unknown): number {
  const id: unknown = Array.isArray(pair) ? pair[1] : undefined;
  if (typeof id === "number") return id;
  throw new Error(`the post-processor names ${show(pair)} where a token and its id were expected`);
}

function template({ single, special_tokens }: Options, idOf: (token: string) => number | undefined): PostProcessor {
  const parts = (Array.isArray(single) ? (single as unknown[]) : []).map((part) => {
    const token: unknown = isRecord(part) && isRecord(part.SpecialToken) ? part.SpecialToken.id : undefined;
    return typeof token === "string" ? idsOf(token, special_tokens, idOf) : undefined;
  });
  return (ids) => parts.flatMap((part) => part ?? [...ids]);
}

function idsOf(token: string, special: unknown, idOf: (token: string) => number | undefined): number[] {
  const described: unknown = isRecord(special) ? special[token] : undefined;
  const ids: unknown = isRecord(described) ? described.ids : undefined;
  if (Array.isArray(ids)) return ids as number[];
  const id = idOf(token);
  if (id === undefined) throw new Error(`the post-processor names the token ${show(token)}, which has no id`);
  return [id];
}
