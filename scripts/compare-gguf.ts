// npx tsx scripts/compare-gguf.ts MODEL [PYTHON [FORMATS]]
//
// Compares what `tokensift export` writes of a model with what llama.cpp makes of it: greedy ids, losses, tokens of some 200
// texts, an adapter alone against one that is merged; and what this library reads back. Then tokens again, for every
// tokenizer of test/fixtures/text that GGUF files have a name for. PYTHON has xllamacpp and gguf
// (pip install xllamacpp gguf numpy); FORMATS are f16,bf16,q8_0,q4_0. Ends with 1 if anything differs by more than is allowed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { runCommandLine } from "../src/cli/commands.ts";
import { fromRows, makeBatch, tokenizeDataset } from "../src/data/index.ts";
import {
  createAdapter,
  forward,
  generate,
  loadModel,
  saveAdapter,
  withAdapter,
  type Decoder,
  type Model,
} from "../src/model/index.ts";
import { openWeights } from "../src/model/weights/index.ts";
import { ggufEncodings } from "../src/model/weights/dequantize.ts";
import { ggufEncoders, type GgufType } from "../src/model/weights/quantize.ts";
import { ggufNames, typeOf } from "../src/model/gguf-file.ts";
import { inGguf, tinyGguf } from "../test/text/gguf-tokenizers.ts";
import { stream } from "../src/system/random.ts";
import { useEngine } from "../src/tensor/engine.ts";
import { UserError } from "../src/system/errors.ts";
import { renderPrompt, type Tokenizer } from "../src/text/index.ts";
import { table } from "../test/text/conformance.ts";

const [source, python = "python3", named = "f16,bf16,q8_0,q4_0"] = process.argv.slice(2);
if (source === undefined) throw new Error("Name a model: npx tsx scripts/compare-gguf.ts MODEL [PYTHON [FORMATS]]");
const folder = mkdtempSync(join(tmpdir(), "tokensift-gguf-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

interface Request {
  gguf: string;
  lora?: string;
  texts?: readonly string[];
  rows?: readonly (readonly number[])[];
}
interface Answer {
  types: string[];
  tokens: number[][];
  whole: number[][];
  rows: { nll: number[]; best: number[]; gap: number[] }[];
}

function inLlama(requests: readonly Request[]): Answer[] {
  const [asked, answered] = [join(folder, "request.json"), join(folder, "answer.json")];
  writeFileSync(asked, JSON.stringify(requests));
  const script = join(dirname(fileURLToPath(import.meta.url)), "gguf_in_llama.py");
  execFileSync(python, [script, asked, answered], { stdio: ["ignore", "inherit", "inherit"] });
  return JSON.parse(readFileSync(answered, "utf8")) as Answer[];
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

let failed = false;
function report(what: string, fits: boolean, figures: string): void {
  failed ||= !fits;
  say(`${fits ? "ok  " : "FAIL"} ${what}: ${figures}`);
}

async function written(name: string, ...flags: string[]): Promise<string> {
  const out = join(folder, `${name}.gguf`);
  const errors: string[] = [];
  const streams = { stdout: { write: () => undefined }, stderr: { write: (text: string) => errors.push(text) } };
  const code = await runCommandLine(["export", "--model", source!, "--out", out, ...flags], streams);
  if (code !== 0) throw new Error(errors.join(""));
  return out;
}

/** Of every token but the first. */
async function lossesOf(model: Decoder, rows: readonly (readonly number[])[]): Promise<number[][]> {
  const found: number[][] = [];
  for (const row of rows) {
    const one = fromRows([{ input_ids: row, response_mask: row.map(() => 1) }]);
    const tokens = await tokenizeDataset(one, (model as Model).tokenizer);
    using pass = forward(model, makeBatch(tokens, [0]), { gradients: null, positions: "all" });
    const { logProb } = await pass.read(["logProb"]);
    found.push(Array.from(logProb, (value) => -value).slice(1, row.length));
  }
  return found;
}

const mean = (rows: readonly (readonly number[])[]): number => {
  const all = rows.flat();
  return all.reduce((sum, value) => sum + value, 0) / all.length;
};

function furthest(one: readonly (readonly number[])[], two: readonly (readonly number[])[]): number {
  return Math.max(...one.flatMap((row, i) => row.map((value, t) => Math.abs(value - two[i]![t]!))));
}

const questions = [
  "What is the capital of France?",
  "Write one sentence about the sea.",
  "What is 17 + 25?",
  "Name three colours.",
  "Why is the sky blue?",
  "Translate 'good morning' into Spanish.",
  "Who wrote Hamlet?",
  "Give me a synonym of 'quick'.",
  "How many days does a week have?",
  "Tell me a short joke about a cat.",
];

/** Some 200 texts: hard ones of the tokenizers' fixtures, and the same with special tokens before, inside and behind. */
function textsFor(model: Model): string[] {
  const { tokenizer } = model;
  const specials = tokenizer.specialIds.map((id) => tokenizer.piece(id)).filter((text) => text !== "");
  const special = (i: number): string => specials[i % specials.length] ?? "";
  const all = [...table.texts, ...questions].filter((text) => text !== "");
  return all.flatMap((text, i) => [
    text,
    special(i) + text,
    text + special(i + 1),
    `${halves(text)[0]}${special(i)}${special(i + 2)} ${halves(text)[1]}`,
    Array.from(text).join(" "),
  ]);
}

/** Cut between two characters. */
function halves(text: string): [string, string] {
  const characters = Array.from(text);
  const middle = characters.length >> 1;
  return [characters.slice(0, middle).join(""), characters.slice(middle).join("")];
}

function compareTokens(
  what: string,
  texts: readonly string[],
  ours: readonly string[],
  theirs: readonly string[],
  said: readonly string[] = [],
): void {
  const other = texts.flatMap((text, i) =>
    ours[i] === theirs[i] ? [] : [`${JSON.stringify(text)}: ${ours[i]} ${theirs[i]}`],
  );
  report(
    what,
    other.length === 0 || said.length > 0,
    `${texts.length - other.length} of ${texts.length} texts equal${[...said, ...(said.length > 0 ? [] : other.slice(0, 3))].map((line) => `\n     ${line}`).join("")}`,
  );
}

say("\ntokenizers of test/fixtures/text in llama.cpp");
const tiny: { name: string; tokenizer: Tokenizer; path: string; notes: readonly string[] }[] = [];
for (const { name, tokenizer: own, vocabulary } of inGguf()) {
  if (vocabulary instanceof UserError) continue;
  const path = await tinyGguf(join(folder, `tokenizer-${tiny.length}.gguf`), vocabulary);
  tiny.push({ name, tokenizer: own, path, notes: vocabulary.notes });
}
for (const [i, answer] of inLlama(tiny.map(({ path }) => ({ gguf: path, texts: table.texts }))).entries()) {
  const { name, tokenizer: own, notes } = tiny[i]!;
  compareTokens(
    name,
    table.texts,
    table.texts.map((text) => own.encode(text).join(" ")),
    answer.tokens.map((ids) => ids.join(" ")),
    notes,
  );
}

await useEngine("cpu");
const model = await loadModel(source);
const { tokenizer } = model;
const prompts = questions.map((content) => renderPrompt(tokenizer, [{ role: "user", content }]));
const greedy = (await generate(model, prompts, { maxNewTokens: 32, stop: [] })).map(({ ids }) => ids);
const rows = prompts.map((prompt, i) => [...prompt, ...greedy[i]!]);
const losses = await lossesOf(model, rows);
const texts = textsFor(model);

const types = named.split(",") as GgufType[];
const files = new Map<GgufType, string>();
for (const type of types) files.set(type, await written(type, "--gguf", type));

say("\nin llama.cpp");
// of quantized weights llama.cpp multiplies inputs that it rounds to 8 bits (scripts/llama_activations.py)
const allowed = (type: GgufType): number => (type.startsWith("q") ? 2e-2 : 5e-3);
const answers = inLlama(types.map((type) => ({ gguf: files.get(type)!, rows, ...(type === "f16" && { texts }) })));
for (const [i, type] of types.entries()) {
  const answer = answers[i]!;
  const theirs = answer.rows.map(({ nll }) => nll);
  const loaded = await loadModel(files.get(type)!);
  const ours = type === "f16" ? losses : await lossesOf(loaded, rows);
  loaded.dispose();
  const apart = Math.abs(mean(theirs) - mean(ours));
  report(
    `${type}, mean loss of ${rows.flat().length - rows.length} tokens`,
    apart <= allowed(type),
    `${mean(theirs).toFixed(5)}, ours ${mean(ours).toFixed(5)}, apart ${apart.toExponential(1)}; a token at most ${furthest(theirs, ours).toExponential(1)}`,
  );
  if (type !== "f16") continue;
  let [close, equal, other] = [0, 0, 0];
  for (const [row, ids] of greedy.entries())
    for (const [t, id] of ids.entries()) {
      const at = prompts[row]!.length - 1 + t;
      if (answer.rows[row]!.best[at] === id) equal++;
      else if (answer.rows[row]!.gap[at]! > 1e-2) other++;
      else close++;
    }
  report(
    `${type}, greedy ids of ${prompts.length} prompts`,
    other === 0,
    `${equal} equal, ${close} at gaps below 0.01, ${other} differ`,
  );
  compareTokens(
    "tokens",
    texts,
    texts.map((text) => tokenizer.encode(text).join(" ")),
    answer.tokens.map((ids) => ids.join(" ")),
  );
  compareTokens(
    "tokens with what stands around a text",
    texts,
    texts.map((text) => tokenizer.encode(text, { addSpecialTokens: true }).join(" ")),
    answer.whole.map((ids) => ids.join(" ")),
  );
}

say("\nan adapter in llama.cpp");
const adapter = await createAdapter(model, { rank: 8 });
const random = stream("compare-gguf");
for (const { b } of adapter.changes)
  tf.tidy(() =>
    b.assign(
      tf.tensor2d(
        Float32Array.from({ length: b.size }, () => 0.02 * (random.next() - 0.5)),
        b.shape,
      ),
    ),
  );
const adapted = withAdapter(model, adapter);
await saveAdapter(adapted, join(folder, "adapter"), { card: "Random.", baseModel: "base" });
const ours = await lossesOf(adapted, rows);
const merged = await written("merged", "--gguf", "f16", "--adapter", join(folder, "adapter"));
const lora = await written("lora", "--gguf", "f16", "--adapter", join(folder, "adapter"), "--adapter-only");
const [inMerged, overBase] = inLlama([
  { gguf: merged, rows },
  { gguf: files.get("f16")!, lora, rows },
]).map((answer) => answer.rows.map(({ nll }) => nll));
const told = (theirs: readonly number[][]): string =>
  `${mean(theirs).toFixed(5)}, ours ${mean(ours).toFixed(5)} (without it ${mean(losses).toFixed(5)}); a token at most ${furthest(theirs, ours).toExponential(1)}`;
report("merged, mean loss", Math.abs(mean(inMerged!) - mean(ours)) <= 5e-3, told(inMerged!));
report("alone, over the model, mean loss", Math.abs(mean(overBase!) - mean(ours)) <= 5e-3, told(overBase!));
report(
  "alone against merged",
  Math.abs(mean(overBase!) - mean(inMerged!)) <= 5e-3,
  `a token at most ${furthest(overBase!, inMerged!).toExponential(1)}`,
);

say(`\nread back by this library (${source})`);
for (const type of types) {
  const [original, read] = [await openWeights(source), await openWeights(files.get(type)!)];
  const names = ggufNames(read.config);
  let different = 0;
  for (const name of read.names()) {
    const wanted = typeOf(names.get(name)!, read.shape(name), { type, tiedOutput: read.config.tiedOutput });
    const { encode, code } = ggufEncoders[wanted];
    const values = await original.read(name);
    const rounded = new Float32Array(values.length);
    ggufEncodings.get(code)!.decode(encode(values, name).slice(), rounded);
    const back = await read.read(name);
    if (!rounded.every((value, i) => Object.is(value, back[i]) || value === back[i])) different++;
  }
  report(type, different === 0, `${read.names().length} tensors, ${different} differ from the quantized values`);
  await Promise.all([original.close(), read.close()]);
}

process.exitCode = failed ? 1 : 0;
