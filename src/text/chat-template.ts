import { UserError } from "../system/errors.ts";
import { call } from "./jinja/arguments.ts";
import { createBudget, mostSteps } from "./jinja/budget.ts";
import { strftime } from "./jinja/date.ts";
import { toValue } from "./jinja/globals.ts";
import { prepareJinja } from "./jinja/interpreter.ts";
import { spendingFrom } from "./jinja/limits.ts";
import { generationFunction, parseJinja } from "./jinja/parse.ts";
import { text as written } from "./jinja/print.ts";
import type { Node } from "./jinja/tree.ts";
import { callable, type Value } from "./jinja/values.ts";

/** One message of a conversation, with whatever else a template may read of it: `tool_calls`, `reasoning_content`, … */
export interface ChatMessage {
  role: string;
  /** Null where the message is something else than text, such as a call of a tool. */
  content: string | null;
  [key: string]: unknown;
}

export interface TemplateVariables {
  bosToken?: string | undefined;
  eosToken?: string | undefined;
  /** Other special tokens by their name in the configuration ("pad_token"). */
  specialTokens?: Readonly<Record<string, string>> | undefined;
  /** Whether to end with what comes before an answer. */
  addGenerationPrompt: boolean;
  /** Descriptions of the tools that the model may call, as plain values. */
  tools?: readonly unknown[] | undefined;
  /** Texts that the model may consult, as plain values. */
  documents?: readonly unknown[] | undefined;
  /** What to write before and behind each `{% generation %}` block. Default: nothing. */
  signs?: Signs | undefined;
}

/** Characters that stand for the tags of `{% generation %}` blocks in what a template writes. */
export interface Signs {
  opening: string;
  closing: string;
}

/** Writes a conversation as text. */
export type ChatTemplate = (messages: readonly ChatMessage[], variables: TemplateVariables) => string;

const longestTemplate = 200_000; // characters
const longestGap = 1_000; // white space characters in a row
const where = "chat template";

/**
 * A Jinja chat template, ready to write conversations. Templates come with models and are not trusted: they run without access to anything but
 * the messages, within limits of time and memory.
 *
 * As in transformers, `{% generation %}` blocks are understood, and `raise_exception` and `strftime_now` can be called
 * (a template that prints the date gives other tokens every day). As in Jinja, a line of the template may end as on
 * Windows.
 *
 * @param template its text, or its program
 * @param limit of steps that writing one conversation may take
 * @throws UserError if the text is no template; the result throws one if it fails for a conversation
 */
export function compileChatTemplate(template: string | Node, limit = mostSteps): ChatTemplate {
  const budget = createBudget(limit);
  const run = prepareJinja(typeof template === "string" ? parseChatTemplate(template) : template, budget);
  return (messages, given) => {
    const { bosToken = "", eosToken = "", specialTokens, addGenerationPrompt, tools, documents, signs } = given;
    try {
      const values = new Map<string, Value>([
        ["messages", toValue(messages)],
        ["add_generation_prompt", addGenerationPrompt],
        ["bos_token", bosToken],
        ["eos_token", eosToken],
        ["tools", toValue(tools ?? null)],
        ["documents", toValue(documents ?? null)],
      ]);
      const marks = signs === undefined ? unmarked : new Map([marking(signs)]);
      return spendingFrom(budget.spend, () => run(values, tokensByName(specialTokens), marks, functions));
    } catch (cause) {
      throw failed(cause);
    }
  };
}

const none = new Map<string, Value>();
const named = new WeakMap<object, Map<string, Value>>();

function tokensByName(tokens: TemplateVariables["specialTokens"]): Map<string, Value> {
  if (tokens === undefined) return none;
  let found = named.get(tokens);
  if (found === undefined) named.set(tokens, (found = new Map(Object.entries(tokens))));
  return found;
}

const functions = new Map<string, Value>([
  [
    "raise_exception",
    callable(({ positional }) => {
      throw new Error(written(positional[0]));
    }),
  ],
  ["strftime_now", callable(({ positional }) => strftime(new Date(), written(positional[0])))],
]);

/** The function of `{% generation %}` blocks. */
function marking({ opening, closing }: Signs = { opening: "", closing: "" }): [string, Value] {
  const none = { positional: [], named: new Map<string, Value>() };
  return [generationFunction, callable(({ named }) => opening + written(call(named.get("caller"), none)) + closing)];
}

const unmarked = new Map([marking()]);

/**
 * The program of a chat template.
 * @throws UserError if the text is none
 */
export function parseChatTemplate(text: string): Node {
  if (text.length > longestTemplate) {
    throw new UserError("invalid-chat-template", `it has ${text.length} characters, more than ${longestTemplate}`, {
      where,
    });
  }
  if (new RegExp(`\\s{${longestGap}}`).test(text)) {
    throw new UserError("invalid-chat-template", `it has more than ${longestGap} spaces in a row`, { where });
  }
  try {
    return parseJinja(text.replaceAll(/\r\n?/g, "\n"));
  } catch (cause) {
    throw failed(cause);
  }
}

function failed(cause: unknown): UserError {
  const isDeep = cause instanceof RangeError;
  const reason = isDeep ? "it is nested too deeply or grows too large" : cause instanceof Error ? cause.message : "";
  return new UserError("invalid-chat-template", `the template fails: ${reason.slice(0, 500)}`, {
    where,
    fix: "Correct the conversation if the message is about it, or give another chat template.",
    cause,
  });
}
