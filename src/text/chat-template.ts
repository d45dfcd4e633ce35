import { Template } from "@huggingface/jinja";
import { UserError } from "../system/errors.ts";
import { BoundedInterpreter, mostSteps } from "./bounded-interpreter.ts";

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
  /** Whether to end with what comes before an answer. */
  addGenerationPrompt: boolean;
  /** Descriptions of the tools that the model may call, as plain values. */
  tools?: readonly unknown[] | undefined;
  /** Texts that the model may consult, as plain values. */
  documents?: readonly unknown[] | undefined;
}

/** Writes a conversation as text. */
export type ChatTemplate = (messages: readonly ChatMessage[], variables: TemplateVariables) => string;

const longestTemplate = 200_000; // characters
const longestGap = 1_000; // white space characters in a row
const where = "chat template";

/**
 * Parses a Jinja chat template. Templates come with models and are not trusted: they run without access to anything but
 * the messages, within limits of time and memory.
 *
 * As in transformers, `{% generation %}` tags are understood, and `raise_exception` and `strftime_now` can be called
 * (a template that prints the date gives other tokens every day). As in Jinja, a line of the template may end as on
 * Windows.
 *
 * @param limit of steps that writing one conversation may take
 * @throws UserError if the text is no template; the result throws one if it fails for a conversation
 */
export function compileChatTemplate(text: string, limit = mostSteps): ChatTemplate {
  const parsed = parseTemplate(text);
  return (messages, { bosToken = "", eosToken = "", addGenerationPrompt, tools, documents }) => {
    const variables = {
      messages: messages.map((message) => ({ ...message })),
      add_generation_prompt: addGenerationPrompt,
      bos_token: bosToken,
      eos_token: eosToken,
      tools: tools ?? null,
      documents: documents ?? null,
      raise_exception: (message: unknown): never => {
        throw new Error(String(message));
      },
      strftime_now: (format: unknown): string => libraryDate.render({ format }),
    };
    try {
      return String(new BoundedInterpreter(variables, text.length, limit).run(parsed).value);
    } catch (cause) {
      throw failed(cause);
    }
  };
}

const libraryDate = new Template("{{ strftime_now(format) }}");

function parseTemplate(text: string): unknown {
  if (text.length > longestTemplate) {
    throw new UserError("invalid-chat-template", `it has ${text.length} characters, more than ${longestTemplate}`, {
      where,
    });
  }
  if (new RegExp(`\\s{${longestGap}}`).test(text)) {
    throw new UserError("invalid-chat-template", `it has more than ${longestGap} spaces in a row`, { where });
  }
  try {
    return new Template(text.replaceAll(/\r\n?/g, "\n")).parsed;
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
