import { describe, expect, test } from "@jest/globals";
import { mkdirSync } from "node:fs";
import { fromRows, tokenizeDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import { loadConfig } from "../../src/config/load.ts";
import { finetuneDefinition } from "../../src/recipes/finetune/config.ts";
import { configuredTokens, openConfigured, type DataRole } from "../../src/recipes/kit/configured-data.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { temporaryFolder, tied, tokensift } from "./run.ts";

const folder = temporaryFolder();
const data = folder.writeRows("data.jsonl", [{ prompt: "w1 w2 ", response: "w3" }]);
const chat = folder.writeRows("chat.jsonl", [{ messages: [{ role: "assistant", content: "w2" }] }]);
const odd = folder.writeRows("odd.jsonl", [
  { prompt: "w1 ", response: "w2", noise: [0, 1, 0] },
  { prompt: "w1 ", response: "w2", noise: [0] },
]);
const rewriting = folder.write(
  "rewriting.jinja",
  "{% for m in messages %}{{ m.content if loop.last else 'w9' }} {% endfor %}",
);
const turns = folder.writeRows("turns.jsonl", [
  { messages: ["user", "assistant", "user", "assistant"].map((role, i) => ({ role, content: `w${i + 1}` })) },
]);
mkdirSync(folder.path("hub/data"), { recursive: true });
const hub = folder.path("hub");
for (const split of ["test", "dev"]) folder.writeRows(`hub/data/${split}.jsonl`, [{ prompt: "w1 ", response: "w2" }]);

/** What a recipe says of the data of a configuration. */
async function configured(yaml: string, role: DataRole = "train"): Promise<string> {
  const file = folder.write("run.yaml", `model: ${tied}\ndata: ${yaml}\n`);
  const { config } = loadConfig(finetuneDefinition({ method: "full" }), file);
  const said: string[] = [];
  try {
    const dataset = await openConfigured(config.data, role);
    const onNotice = (notice: string): void => void said.push(notice);
    await tokenizeDataset(dataset, loadTokenizer(tied), { ...configuredTokens(config.data, role), onNotice });
  } catch (error) {
    said.push((error as Error).message);
  }
  return said.join("\n");
}

describe("what is wrong is said with the flag on the command line, and with the key in a configuration:", () => {
  test.each<[name: string, flags: string[], flagged: RegExp, yaml: string, keyed: RegExp]>([
    [
      "a data file",
      ["--data", folder.write("empty.jsonl", "")],
      /: --data .*empty\.jsonl: the file is empty/,
      "{ train: empty.jsonl }",
      /^data\.train: .*empty\.jsonl: the file is empty/,
    ],
    [
      "a split that is missing",
      ["--data", hub],
      /: --data .*has several splits\n  .*\n  Name it with --split\./,
      "{ train: hub }",
      /^data\.train: .*\n.*\n  Name it with data\.split\./,
    ],
    [
      "a split that is not there",
      ["--data", hub, "--split", "tst"],
      /: --split tst: .*there is no split "tst"/,
      "{ train: hub, split: tst }",
      /^data\.split: tst: .*there is no split/,
    ],
    [
      "a column that is not there",
      ["--data", data, "--field", "prompt=promt"],
      /no column "promt" \(--field prompt=promt\)/,
      "{ train: data.jsonl, fields: { prompt: promt } }",
      /no column "promt" \(data\.fields: \{ prompt: promt \}\)/,
    ],
    [
      "a per-token column that is not there",
      ["--data", data, "--token-column", "x"],
      /no column "x" \(--token-column x\)/,
      "{ train: data.jsonl, tokenColumns: [x] }",
      /no column "x" \(data\.tokenColumns: \[x\]\)/,
    ],
    [
      "a format that does not fit",
      ["--data", data, "--format", "text"],
      /for example --field prompt=my_question --field response=my_answer;/,
      "{ train: data.jsonl, format: text }",
      /for example data\.fields: \{ prompt: my_question, response: my_answer \};/,
    ],
    [
      "a per-token column that does not fit",
      ["--data", odd],
      /wanted columns: --token-column \(--token-column none takes none\)/,
      "{ train: odd.jsonl }",
      /wanted columns: data\.tokenColumns \(data\.tokenColumns: \[\] takes none\)/,
    ],
    [
      "a limit of tokens",
      ["--data", data, "--max-tokens", "2"],
      /beyond the limit of tokens, --max-tokens\)\n  .*--field, or raise --max-tokens\./,
      "{ train: data.jsonl, maxTokens: 2 }",
      /beyond the limit of tokens, data\.maxTokens\)\n  .*data\.fields, or raise data\.maxTokens\./,
    ],
    [
      "no chat template",
      ["--data", chat],
      /give a chat template \(--chat-template\)/,
      "{ train: chat.jsonl }",
      /give a chat template \(data\.chatTemplate\)/,
    ],
    [
      "a chat template that is not there",
      ["--data", chat, "--chat-template", "no.jinja"],
      /: --chat-template no\.jinja: this is neither/,
      "{ train: chat.jsonl, chatTemplate: no.jinja }",
      /data\.chatTemplate.*no\.jinja/,
    ],
    [
      "turns that are rewritten",
      ["--data", turns, "--chat-template", rewriting],
      /train the last turns alone \(--train-turns last\).*appends \(--chat-template\)/,
      "{ train: turns.jsonl, chatTemplate: rewriting.jinja }",
      /train the last turns alone \(data\.trainTurns: last\).*appends \(data\.chatTemplate\)/,
    ],
  ])("%s", async (_name, flags, flagged, yaml, keyed) => {
    expect(await tokensift("inspect", "--model", tied, ...flags)).toMatchObject({
      code: 2,
      err: expect.stringMatching(flagged),
    });
    const told = await configured(yaml).catch((error: Error) => error.message);
    expect(told).toMatch(keyed);
    expect(told).not.toMatch(/--[a-z]/);
  });

  test("held-out rows have keys of their own", async () => {
    const told = await configured("{ train: data.jsonl, validation: hub, validationSplit: tst }", "validation");
    expect(told).toMatch(/^data\.validationSplit: tst: /);
    expect(await configured("{ train: data.jsonl, validation: empty.jsonl }", "validation")).toMatch(
      /^data\.validation: /,
    );
  });

  test("a program is told of its own options", async () => {
    const tokenizer = loadTokenizer(tied);
    const tokenize = (row: object, options: TokenizeOptions = {}) =>
      tokenizeDataset(fromRows([row as Record<string, unknown>]), tokenizer, options);
    expect(() => fromRows([{ a: "b" }])).toThrow(
      'for example fields: { prompt: "my_question", response: "my_answer" };',
    );
    expect(() => fromRows([{ text: "b" }], { tokenColumns: ["x"] })).toThrow('(tokenColumns: ["x"])');
    await expect(tokenize({ text: "w1 w2" }, { maxTokens: 1 })).rejects.toThrow("or raise maxTokens.");
    const messages = [{ role: "assistant", content: "w2" }];
    await expect(tokenize({ messages })).rejects.toThrow("give a chat template (template)");
  });
});
