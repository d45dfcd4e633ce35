import { asked, conversation } from "./examples.ts";
import { textOf, textOrNumberOf } from "./fields.ts";
import type { Format } from "./format.ts";
import { messagesOf } from "./messages.ts";
import { contextOf } from "./prompt-columns.ts";

const besideConversation = {
  system: ["system", "system_prompt"],
  history: ["history"],
  tools: ["tools"],
  documents: ["documents"],
} as const;

/** Rows that are conversations. */
export const messagesFormat: Format = {
  name: "messages",
  title: "chat",
  names: { messages: ["messages", "conversations", "conversation"], ...besideConversation },
  required: [["messages"]],
  read: (raw, fields) => conversation(raw, fields, messagesOf(raw[fields.messages!], fields.messages!)),
};

/** Rows that become conversations. */
export const questionFormats: readonly Format[] = [
  {
    name: "question-answer",
    title: "question and answer",
    names: {
      ...{ question: ["question", "Question"], answer: ["answer", "Answer", "final_ans"] },
      ...{ context: ["context"], body: ["Body"] },
      ...besideConversation,
    },
    required: [["question"], ["answer"]],
    read(raw, fields) {
      const sentence = textOrNumberOf(raw, fields.question);
      if (sentence === null) return { skipped: "no question" };
      const question = joined(afterBody(textOf(raw, fields.body), sentence), contextOf(raw, fields.context));
      return asked(raw, fields, question, textOrNumberOf(raw, fields.answer));
    },
  },
  {
    name: "instruction",
    title: "instruction",
    names: {
      ...{ instruction: ["instruction"], input: ["input", "context"], output: ["output", "response"] },
      ...besideConversation,
    },
    required: [["instruction"], ["output"]],
    read(raw, fields) {
      const instruction = textOf(raw, fields.instruction);
      if (instruction === null) return { skipped: "no instruction" };
      const question = joined(instruction, textOf(raw, fields.input) ?? undefined);
      return asked(raw, fields, question, textOrNumberOf(raw, fields.output));
    },
  },
];

/** The last sentence of a problem behind the others, where they have a column of their own (SVAMP). */
function afterBody(body: string | null, question: string): string {
  return body ? `${body} ${question}` : question;
}

/** What is asked, and below it what it is about. */
function joined(question: string, about: string | undefined): string {
  return about ? `${question}\n\n${about}` : question;
}
