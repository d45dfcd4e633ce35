import { afterAll, describe, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ggufVocabulary } from "../../src/text/gguf-vocabulary.ts";
import { loadTokenizer, withChatTemplate, type Tokenizer } from "../../src/text/index.ts";
import { fixtures } from "./reference.ts";

const folder = mkdtempSync(join(tmpdir(), "given-template-"));
afterAll(() => rmSync(folder, { recursive: true }));

const bpe = loadTokenizer(join(fixtures, "bpe"));
const given = "{% for m in messages %}[{{ m.content }}]{% endfor %}\n";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = ({ files }: Tokenizer, name: string): string => new TextDecoder().decode(files[name]);

/** The tokenizer after its files were written to a folder and read. */
function readBack({ files }: Tokenizer, name: string): Tokenizer {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name, path)), { recursive: true });
    writeFileSync(join(folder, name, path), content);
  }
  return loadTokenizer(join(folder, name));
}

/** The tokenizer with its template in `tokenizer_config.json`, as older versions of transformers write it. */
const configured = (template: unknown): Tokenizer => ({
  ...bpe,
  chatTemplate: "{{ old }}",
  files: {
    ...bpe.files,
    "tokenizer_config.json": bytes(
      `{"model_max_length": 1000000000000000019884624838656, "chat_template": ${JSON.stringify(template)}, "eos_token": "<|im_end|>"}`,
    ),
    "chat_template.json": bytes('{"chat_template": "{{ old }}"}'),
    "additional_chat_templates/default.jinja": bytes("{{ old }}"),
    "additional_chat_templates/tool_use.jinja": bytes("{{ old }}"),
    "additional_chat_templates/rag.jinja": bytes("{{ rag }}"),
  },
});

describe("a tokenizer with another chat template", () => {
  test.each([
    ["one", "{{ old }}"],
    ["a list", [{ name: "default", template: "{{ old }}" }, { name: "tool_use", template: "{{ old }}" }]], // prettier-ignore
  ])("has it in every file that old and new readers take it from, where there was %s", (name, template) => {
    const changed = withChatTemplate(configured(template), given);
    expect(textOf(changed, "chat_template.jinja")).toBe(given);
    expect(textOf(changed, "tokenizer_config.json")).toBe(
      `{"model_max_length": 1000000000000000019884624838656, "chat_template": ${JSON.stringify(given)}, "eos_token": "<|im_end|>"}`,
    );
    expect(JSON.parse(textOf(changed, "chat_template.json"))).toEqual({ chat_template: given });
    expect(Object.keys(changed.files).filter((path) => path.includes("/"))).toEqual([
      "additional_chat_templates/rag.jinja",
    ]);
    expect(readBack(changed, name).chatTemplate).toBe(given);
  });

  test("has it in the file alone where tokenizer_config.json had none", () => {
    const files = { "tokenizer.json": bpe.files["tokenizer.json"]!, "tokenizer_config.json": bytes("{}") };
    const bare = { ...bpe, files };
    delete bare.chatTemplate;
    const changed = withChatTemplate(bare, given);
    expect(changed.chatTemplate).toBe(given);
    expect(changed.files).toEqual({ ...files, "chat_template.jinja": bytes(given) });
  });

  test("cuts text as before, and is the same where the template is", () => {
    const changed = withChatTemplate(bpe, given);
    expect([changed.encode("12 books"), changed.fingerprint]).toEqual([bpe.encode("12 books"), bpe.fingerprint]);
    expect(withChatTemplate(bpe, bpe.chatTemplate!)).toBe(bpe);
  });

  test("read from a folder, carries it into a GGUF file", () => {
    const read = readBack(withChatTemplate(configured("{{ old }}"), given), "exported");
    const { entries } = ggufVocabulary(read, { vocabularySize: read.vocabularySize });
    expect(entries["tokenizer.chat_template"]).toBe(given);
  });
});
