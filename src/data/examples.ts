import { isAnswer, isSystem, saysSomething, type ChatMessage } from "../text/index.ts";
import type { Example, Fields, Skipped } from "./format.ts";
import type { Raw } from "./fields.ts";
import { holdsText } from "./lossy.ts";
import type { Messages } from "./messages.ts";
import { promptParts } from "./prompt-columns.ts";

/** A prompt and its response as plain text. */
export function pair(prompt: string, response: string | null): Example | Skipped {
  if (response === null || response === "") return { skipped: "no response" };
  return { prompt, response, answer: response };
}

/** The same, with the columns beside it that only a chat template could use. */
export function plainPair(raw: Raw, fields: Fields, prompt: string, response: string | null): Example | Skipped {
  const beside = [fields.system, fields.history, fields.tools, fields.documents];
  const unused = beside.filter((column) => column !== undefined && holdsText(raw[column]));
  const example = pair(prompt, response);
  return unused.length === 0 || "skipped" in example ? example : { ...example, unused: unused as string[] };
}

/** A question and its answer: a conversation, and plain text where there is no chat template. */
export function asked(raw: Raw, fields: Fields, question: string, response: string | null): Example | Skipped {
  const example = pair(question, response);
  if ("skipped" in example) return example;
  const { before, beforeWeights, unused, ...inputs } = promptParts(raw, fields, false);
  const turns = [...before, { role: "user", content: question }, { role: "assistant", content: response! }];
  const prompt = [...before.map(({ content }) => content), question].join("\n\n");
  const weights = beforeWeights && { messageWeights: [...beforeWeights, 1, 1] };
  return { ...example, prompt, messages: turns, ...weights, ...inputs, ...(unused.length > 0 && { unused }) };
}

/** A conversation with the columns beside it. */
export function conversation(raw: Raw, fields: Fields, given: Messages | null): Example | Skipped {
  const said = given?.messages.filter((message) => isAnswer(message) && saysSomething(message)) ?? [];
  if (!given || said.length === 0) return { skipped: noAnswer(given?.messages ?? []) };
  const { before, beforeWeights, unused, ...inputs } = promptParts(
    raw,
    fields,
    given.messages.slice(0, 1).some(isSystem),
  );
  const { messages, messageWeights, remarks } = given;
  const isWeighed = beforeWeights !== undefined || messageWeights !== undefined;
  const ones = (of: readonly ChatMessage[]): readonly number[] => of.map(() => 1);
  const answer = said.at(-1)!.content;
  const strange = [...new Set(messages.map(({ role }) => role))].filter((role) => !templateRoles.has(role));
  const allRemarks = [...(remarks ?? []), ...strange.map(strangeRemark)];
  return {
    messages: [...before, ...messages],
    ...(answer !== null && answer !== "" && { answer }),
    ...(isWeighed && {
      messageWeights: [...(beforeWeights ?? ones(before)), ...(messageWeights ?? ones(messages))],
    }),
    ...inputs,
    ...(unused.length > 0 && { unused }),
    ...(allRemarks.length > 0 && { remarks: allRemarks }),
  };
}

const templateRoles = new Set(["system", "developer", "user", "assistant", "tool", "ipython"]);

function strangeRemark(role: string): string {
  return `nobody is known by the role "${role}": its messages are given to the chat template as they are, and do not train`;
}

/** Names roles that nobody knows: one of them may be the assistant's. */
function noAnswer(messages: readonly ChatMessage[]): string {
  const roles = [...new Set(messages.map(({ role }) => role))];
  const unknown = roles.some((role) => !templateRoles.has(role));
  return unknown ? `no response: no message is the assistant's, the roles are ${roles.join(", ")}` : "no response";
}
