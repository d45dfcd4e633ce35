import { UserError } from "../system/errors.ts";
import {
  compileChatTemplate,
  parseChatTemplate,
  type ChatMessage,
  type ChatTemplate,
  type Signs,
  type TemplateVariables,
} from "./chat-template.ts";
import { generationFunction } from "./jinja/parse.ts";
import { identifiersIn, namesIn } from "./jinja/tree.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { unusedSigns } from "./unused-signs.ts";

/** What a template is given besides the messages. */
export interface TemplateInputs {
  /** Descriptions of the tools that the model may call. */
  tools?: readonly unknown[] | undefined;
  documents?: readonly unknown[] | undefined;
}

/** A chat template in the hands of one tokenizer. */
export interface TemplateWriter {
  /** @param opensAnswer whether to end with what comes before an answer */
  write(messages: readonly ChatMessage[], opensAnswer: boolean, inputs?: TemplateInputs): string;
  /**
   * The text with the bounds of what stands in `{% generation %}` blocks; absent where the template has none.
   * @param text what `write` gives for the same
   */
  writeMarked?(messages: readonly ChatMessage[], inputs: TemplateInputs, text: string): MarkedText;
  /** Whether the template looks at a key of messages, or at a variable. */
  reads(name: string): boolean;
}

export interface MarkedText {
  text: string;
  /** Places in the text, in rising order. */
  marked: { start: number; end: number }[];
}

interface CompiledTemplate {
  render: ChatTemplate;
  /** Whether it has `{% generation %}` blocks. */
  marks: boolean;
  names: ReadonlySet<string>;
}

const compiled = new Map<string, CompiledTemplate>();
const mostCompiled = 16;

/** @throws UserError if neither the tokenizer nor `template` gives a template, or if it is none */
export function templateWriter(tokenizer: Tokenizer, template = tokenizer.chatTemplate): TemplateWriter {
  if (template === undefined) {
    throw new UserError("missing-chat-template", "the tokenizer has no chat template", {
      fix: "Use an instruction-tuned model, or give a chat template.",
    });
  }
  const { render, marks, names } = compile(template);
  const { bosToken, eosToken, specialTokens } = tokenizer;
  const variables = (opensAnswer: boolean, inputs: TemplateInputs = {}): TemplateVariables => ({
    bosToken,
    eosToken,
    specialTokens,
    addGenerationPrompt: opensAnswer,
    ...inputs,
  });
  return {
    write: (messages, opensAnswer, inputs) => render(messages, variables(opensAnswer, inputs)),
    ...(marks && {
      writeMarked: (messages: readonly ChatMessage[], inputs: TemplateInputs, text: string) => {
        const [opening, closing] = unusedSigns(text, 2);
        const signs = { opening: opening!, closing: closing! };
        return withoutMarks(render(messages, { ...variables(false, inputs), signs }), signs);
      },
    }),
    reads: (name) => names.has(name),
  };
}

function compile(template: string): CompiledTemplate {
  const known = compiled.get(template);
  if (known !== undefined) return known;
  if (compiled.size >= mostCompiled) compiled.clear();
  const program = parseChatTemplate(template);
  const made = {
    render: compileChatTemplate(program),
    marks: identifiersIn(program).has(generationFunction),
    names: namesIn(program),
  };
  compiled.set(template, made);
  return made;
}

function withoutMarks(written: string, { opening, closing }: Signs): MarkedText {
  const marked: MarkedText["marked"] = [];
  let text = "";
  for (const part of written.split(new RegExp(`([${opening}${closing}])`, "u"))) {
    if (part === opening) marked.push({ start: text.length, end: text.length });
    else if (part === closing) marked.at(-1)!.end = text.length;
    else text += part;
  }
  return { text, marked };
}
