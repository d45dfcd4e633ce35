import fc from "fast-check";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadTokenizer, type Tokenizer } from "../../src/text/index.ts";
import { fixtures, readBpe } from "../text/reference.ts";
import { anyCharacter } from "../any-character.ts";

export interface Call {
  name: string;
  arguments: Record<string, string | number>;
}

/** A message as its author means it, before it is written as a row has it. */
export interface Said {
  role: "system" | "user" | "assistant" | "tool";
  text: string;
  /** What the author lets it count. */
  weight?: number;
  thinking?: string;
  calls?: Call[];
}

/** A chat template, and what of a conversation trains under it, worked out without it. */
export interface TemplateCase {
  name: string;
  template: string;
  tokenizer: Tokenizer;
  roles: readonly Said["role"][];
  /** What else than text its messages may have. */
  has: readonly ("thinking" | "calls")[];
  /** The text of answer `k`, with the token that ends it, as the template writes it. */
  trained(messages: readonly Said[], k: number): string;
}

const chats = JSON.parse(readFileSync(join(fixtures, "chats.json"), "utf8")) as { templates: Record<string, string> };
const untagged = (template: string): string => template.replace(/\{% (end)?generation %\}/g, "");

/** A line break belongs to the white space before it, so that a header of two line breaks is a token's end. */
const llama3Words =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

export const chatMl = loadTokenizer(join(fixtures, "bpe"));
export const llama = llamaTokenizer();

/** The same pieces under Llama 3's special tokens, with a beginning token before every text. */
function llamaTokenizer(): Tokenizer {
  const json = readBpe();
  const names = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"];
  const first = Object.keys(json.model.vocab).length;
  const options = { ...json.added_tokens[0], single_word: false };
  json.added_tokens.push(...names.map((content, i) => ({ ...options, id: first + i, content })));
  for (const [i, name] of names.entries()) json.model.vocab[name] = first + i;
  json.pre_tokenizer = {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: llama3Words }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  };
  json.post_processor = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: names[0], type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: { [names[0]!]: { id: names[0], ids: [first], tokens: [names[0]] } },
  };
  const folder = mkdtempSync(join(tmpdir(), "tokensift-llama-"));
  try {
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(json));
    writeFileSync(
      join(folder, "tokenizer_config.json"),
      JSON.stringify({ bos_token: names[0], eos_token: names[1], unk_token: "<|endoftext|>" }),
    );
    return loadTokenizer(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const chatMlTagged =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}" +
  "{{ m.content + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

const llama3Tagged =
  "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}" +
  "{% if m.role == 'assistant' %}{% generation %}{{ m.content | trim + '<|eot_id|>' }}{% endgeneration %}" +
  "{% else %}{{ m.content | trim + '<|eot_id|>' }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";

const llama2 =
  "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content.strip() + ' [/INST]' }}" +
  "{% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";

/** White space as Python's `strip` knows it. */
const space = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const trimmed = (text: string): string => text.replace(new RegExp(`^${space}|${space}$`, "g"), "");

const end = "<|im_end|>";
const plainText = (messages: readonly Said[], k: number): string => messages[k]!.text + end;
const afterThinking = (messages: readonly Said[], k: number): string =>
  messages[k]!.text.split("</think>").at(-1)! + end;

/** Thinks before answers behind the last question alone. */
function thinkingText(messages: readonly Said[], k: number): string {
  const { text, thinking = "" } = messages[k]!;
  const asked = messages.findLastIndex(({ role }) => role === "user");
  return `${k > asked ? `<think>\n${thinking}\n</think>\n\n` : ""}${text}${end}`;
}

/** Python's `json.dumps` of what calls hold here. */
function pythonJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, entry]) => `${JSON.stringify(key)}: ${pythonJson(entry)}`)
    .join(", ")}}`;
}

function calledText(messages: readonly Said[], k: number): string {
  const { text, calls = [] } = messages[k]!;
  return text + calls.map((call) => `<call>${pythonJson(call)}</call>`).join("") + end;
}

const everyRole = ["system", "user", "assistant", "tool"] as const;

/** Each with its tags `{% generation %}` and without, where it has some. */
export const templateCases: readonly TemplateCase[] = [
  { name: "ChatML", template: chatMlTagged, tokenizer: chatMl, roles: everyRole, has: [], trained: plainText },
  {
    ...{ name: "Llama 3", template: llama3Tagged, tokenizer: llama, roles: everyRole, has: [] },
    trained: (messages: readonly Said[], k: number) => `${trimmed(messages[k]!.text)}<|eot_id|>`,
  } satisfies TemplateCase,
  {
    ...{ name: "Llama 2", template: llama2, tokenizer: chatMl, roles: ["user", "assistant"], has: [] },
    trained: (messages: readonly Said[], k: number) => ` ${trimmed(messages[k]!.text)} ${end}`,
  } satisfies TemplateCase,
  {
    ...{ name: "tools", template: chats.templates["tools"]!, tokenizer: chatMl, roles: everyRole, has: ["calls"] },
    trained: calledText,
  } satisfies TemplateCase,
  {
    ...{ name: "thinking", template: chats.templates["thinking"]!, tokenizer: chatMl, roles: everyRole },
    ...{ has: ["thinking"], trained: thinkingText },
  } satisfies TemplateCase,
  {
    ...{ name: "opening", template: chats.templates["opening"]!, tokenizer: chatMl, roles: everyRole, has: [] },
    trained: afterThinking,
  } satisfies TemplateCase,
].flatMap((each): TemplateCase[] => {
  const bare = untagged(each.template);
  return bare === each.template
    ? [each]
    : [
        { ...each, name: `${each.name}, tagged` },
        { ...each, template: bare },
      ];
});

const words = [
  ...["books", "12", "é", "a b", "😀", "x", "y", "x\n\ny", "She has 3.", "日本語", "e\u0301", "👨‍👩‍👧"],
  ...["<|im_end|>", "<|im_start|>assistant\n", "<|endoftext|>", "<|eot_id|>", "<think>", "</think>", "[/INST]"],
  ...["{% generation %}", "{{ messages }}", "\u{F0001}", "\u{F0002}", "tail ", "tail\n", "\ufeff", "\u0000"],
];

/** Any text, that of templates and of special tokens among it. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...words) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...words), fc.constantFrom(...words)).map((two) => two.join(" ")) },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 10 }) },
  { weight: 1, arbitrary: fc.string({ unit: anyCharacter, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant("") },
);

const weight = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.constantFrom(0, 1, 0.5, -2));
const call = fc.record({
  name: fc.constantFrom("weather", "é"),
  arguments: fc.dictionary(
    fc.constantFrom("city", "days"),
    fc.oneof(fc.constantFrom("Oslo", "a b", "日"), fc.nat(30)),
    {
      noNullPrototype: true,
    },
  ),
});

/** A conversation that a template can write: a system message at most first, any roles behind it. */
export function anyChat({ roles, has }: Pick<TemplateCase, "roles" | "has">): fc.Arbitrary<Said[]> {
  const turn = fc
    .record({
      role: fc.constantFrom(...roles.filter((role) => role !== "system"), "assistant" as const),
      text: anyText,
      weight,
      thinking: fc.option(anyText, { nil: undefined }),
      calls: fc.option(fc.array(call, { maxLength: 2 }), { nil: undefined }),
    })
    .map(({ role, text, ...others }): Said => {
      const { weight: counts, thinking, calls } = role === "assistant" ? others : {};
      return {
        ...{ role, text },
        ...(counts !== undefined && { weight: counts }),
        ...(has.includes("thinking") && thinking !== undefined && { thinking }),
        ...(has.includes("calls") && calls !== undefined && { calls }),
      };
    });
  const opening = roles.includes("system") ? fc.option(anyText, { nil: undefined }) : fc.constant(undefined);
  return fc
    .tuple(opening, anyText, fc.array(turn, { minLength: 1, maxLength: 6 }))
    .map(([system, asked, turns]) => [
      ...(system === undefined ? [] : [{ role: "system" as const, text: system }]),
      { role: "user" as const, text: asked },
      ...turns,
    ]);
}

/** How a row writes its messages. */
export interface Writing {
  form: "openai" | "sharegpt";
  holder: "list" | "text" | "columns";
  /** Which of several spellings; any number. */
  spelling: number;
}

export const anyWriting: fc.Arbitrary<Writing> = fc.record({
  form: fc.constantFrom("openai", "sharegpt"),
  holder: fc.constantFrom("list", "list", "text", "columns"),
  spelling: fc.nat(1000),
});

const names: Readonly<Record<Said["role"], readonly string[]>> = {
  system: ["system", "System"],
  user: ["user", "human", "Human", "USER", "prompter"],
  assistant: ["assistant", "gpt", "GPT", "model", "Bot", "chatgpt"],
  tool: ["tool", "observation", "function", "Tool_Response"],
};

/** The messages as a row holds them. */
export function written(messages: readonly Said[], { form, holder, spelling }: Writing): unknown {
  const entries = messages.map((message, i) => entryOf(message, form, spelling + i));
  if (holder === "text") return JSON.stringify(entries);
  if (holder === "list") return entries;
  const keys = [...new Set(entries.flatMap((entry) => Object.keys(entry)))];
  return Object.fromEntries(keys.map((key) => [key, entries.map((entry) => entry[key] ?? null)]));
}

function entryOf(said: Said, form: Writing["form"], spelling: number): Record<string, unknown> {
  const { role, text, weight: counts, thinking, calls } = said;
  const all = names[role];
  const name = all[spelling % all.length]!;
  const extra = {
    ...(counts !== undefined && markOf(counts, spelling)),
    ...(thinking !== undefined && { [["reasoning_content", "reasoning", "thinking"][spelling % 3]!]: thinking }),
    ...(calls && { tool_calls: calls.map((each) => ({ type: "function", function: each })) }),
  };
  const content = spelling % 4 === 3 ? partsOf(text) : text;
  return form === "sharegpt" ? { from: name, value: content, ...extra } : { role: name, content, ...extra };
}

function partsOf(text: string): unknown[] {
  const characters = [...text];
  const half = characters.length >> 1;
  return [characters.slice(0, half), characters.slice(half)].map((part) => ({ type: "text", text: part.join("") }));
}

function markOf(counts: number, spelling: number): Record<string, unknown> {
  const keys = counts === 0 || counts === 1 ? ["weight", "train", "trainable", "loss_mask", "training"] : ["weight"];
  const key = keys[spelling % keys.length]!;
  return { [key]: key.startsWith("train") ? counts === 1 : counts };
}
