import { asked, conversation } from "./examples.ts";
import { textOf, textOrNumberOf } from "./fields.ts";
import type { Format } from "./format.ts";
import { messagesOf } from "./messages.ts";
import { contextOf } from "./prompt-columns.ts";

const besideConversation = {
  system: ["system", "system_prompt"],
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
      ...{ question: ["question"], answer: ["answer"], context: ["context"], history: ["history"] },
      ...besideConversation,
    },
    required: [["question"], ["answer"]],
    read(raw, fields) {
      const question = textOrNumberOf(raw, fields.question);
      if (question === null) return { skipped: "no question" };
      return asked(raw, fields, joined(question, contextOf(raw, fields.context)), textOrNumberOf(raw, fields.answer));
    },
  },
  {
    name: "instruction",
    title: "instruction",
    names: {
      ...{ instruction: ["instruction"], input: ["input", "context"], output: ["output", "response"] },
      ...{ history: ["history"], ...besideConversation },
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

/** What is asked, and below it what it is about. */
function joined(question: string, about: string | undefined): string {
  return about ? `${question}\n\n${about}` : question;
}
