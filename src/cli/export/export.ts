import { existsSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { mergedWeights } from "../../model/adapters/merged-weights.ts";
import { files as adapterFiles } from "../../model/adapters/peft.ts";
import { openStoredAdapter, type StoredAdapter } from "../../model/adapters/stored-adapter.ts";
import { ggufOfAdapter } from "../../model/gguf-adapter.ts";
import { ggufNotes, ggufOfModel, type GgufOptions } from "../../model/gguf-file.ts";
import { tokenizerOf } from "../../model/model-files.ts";
import type { GgufContents } from "../../model/weights/gguf-write.ts";
import { openWeights, type WeightSource } from "../../model/weights/index.ts";
import { ggufTypes } from "../../model/weights/quantize.ts";
import { terminalNumber } from "../../report/format.ts";
import { diskError } from "../../system/disk-error.ts";
import { UserError } from "../../system/errors.ts";
import { watchInterruption } from "../../system/interruption.ts";
import { terminalText } from "../../system/visible-text.ts";
import { ggufVocabulary } from "../../text/gguf-vocabulary.ts";
import type { Tokenizer } from "../../text/index.ts";
import { defineCommand } from "../command.ts";
import { adapterFlag, adapterTokenizer, requireModel, tellBase } from "../open-model.ts";
import { oneOf, requiredValue } from "../values.ts";
import { withFlag } from "../with-flag.ts";
import { requireWritableFile } from "../writable-file.ts";
import { modelfile, modelfilePath } from "./modelfile.ts";
import { writeFiles, type Written } from "./write-files.ts";

/** `tokensift export`. */
export const exportModel = defineCommand({
  usage: "export --model DIR|FILE.gguf --gguf TYPE --out FILE.gguf [--adapter DIR [--adapter-only]] [flags]",
  summary: "Writes a model as one GGUF file, which llama.cpp, Ollama and LM Studio run.",
  details:
    `TYPE is the number format of the matrices: ${ggufTypes.join(", ")}. Norms and biases stay f32; with q4_0 the output\n` +
    "stays q8_0. Tokenizer and chat template are part of the file.\n\n" +
    "With --adapter the adapter is added to the weights. With --adapter-only it is written alone, to be laid over the\n" +
    "model's own GGUF file (llama.cpp: --lora FILE.gguf); --model is then only looked at.\n\n" +
    "A Modelfile for Ollama is written beside the file: ollama create NAME -f FILE.Modelfile. One tensor is held in\n" +
    "memory at a time, and the files get their names when they are complete.",
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    ...adapterFlag,
    "adapter-only": { type: "boolean", description: "Write the adapter alone." },
    gguf: { type: "string", value: "TYPE", description: `Number format: ${ggufTypes.join(", ")}.` },
    out: { type: "string", value: "FILE", description: "The file to write, FILE.gguf." },
    name: { type: "string", value: "NAME", description: "What programs show. Default: the file's name without .gguf." },
    overwrite: { type: "boolean", description: "Replace files that are there." },
  },
  run: async (values, { stderr }) => {
    const path = requiredValue("model", values.model, "a model folder or a GGUF file");
    const out = requiredValue("out", values.out, "the file to write, FILE.gguf");
    const type = oneOf("gguf", requiredValue("gguf", values.gguf, `one of ${ggufTypes.join(", ")}`), ggufTypes);
    const alone = values["adapter-only"] ?? false;
    if (alone && values.adapter === undefined)
      throw new UserError("unused-option", "--adapter-only has no adapter", { fix: "Give --adapter DIR." });
    requireOutput(out, { overwrite: values.overwrite ?? false, model: path, alone });
    requireModel(path, values.adapter);
    const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
    const options: GgufOptions = { type, name: values.name ?? basename(out, extname(out)) };
    using interruption = watchInterruption();
    const source = await withFlag("model", path, openWeights);
    let adapter: StoredAdapter | undefined;
    try {
      if (values.adapter !== undefined) {
        adapter = await withFlag("adapter", values.adapter, (from) => openStoredAdapter(from, source));
        await tellBase(adapter, { source: path, fingerprint: source.fingerprint }, { where: values.adapter, say });
      }
      const tokenizer = (): Tokenizer => {
        const own = tokenizerOf(path, source);
        return values.adapter === undefined ? own : adapterTokenizer(own, values.adapter, say);
      };
      const { contents, texts, notes } =
        adapter !== undefined && alone
          ? adapterAlone(adapter, source, { folder: values.adapter!, options })
          : wholeModel(source, { tokenizer: tokenizer(), adapter, options, out });
      for (const note of notes) say(note);
      const written = await writeFiles(out, contents, { texts, stderr, check: () => interruption.check() });
      say(account(out, written, contents, [...texts.keys()]));
    } catch (error) {
      throw diskError(error, out, "export again", "Name another file with --out.");
    } finally {
      await adapter?.close();
      await source.close();
    }
  },
});

interface Export {
  contents: GgufContents;
  /** Texts of further files, by path. */
  texts: ReadonlyMap<string, string>;
  notes: readonly string[];
}

function adapterAlone(
  adapter: StoredAdapter,
  { config }: WeightSource,
  { folder, options }: { folder: string; options: GgufOptions },
): Export {
  const template = join(folder, adapterFiles.template);
  const note =
    `${template}: a GGUF adapter has no place for a chat template, and this one was trained with another than its model ` +
    `may have: give llama.cpp --jinja --chat-template-file ${template}`;
  const notes = existsSync(template) ? [note] : [];
  return { contents: ggufOfAdapter(adapter, config, options), texts: new Map(), notes };
}

function wholeModel(
  source: WeightSource,
  about: { tokenizer: Tokenizer; adapter: StoredAdapter | undefined; options: GgufOptions; out: string },
): Export {
  const { tokenizer, adapter, options, out } = about;
  const vocabulary = ggufVocabulary(tokenizer, source.config);
  const weights = adapter === undefined ? source : mergedWeights(source, adapter);
  const ends = (tokenizer.endOfText ?? []).map((id) => tokenizer.piece(id));
  const texts = new Map([[modelfilePath(out), modelfile(out, ends)]]);
  return {
    contents: ggufOfModel(weights, vocabulary, options),
    texts,
    notes: [...templateNotes(tokenizer), ...vocabulary.notes, ...ggufNotes(source.config)],
  };
}

function templateNotes({ chatTemplate }: Tokenizer): string[] {
  return chatTemplate === undefined ? [noTemplate] : [];
}

const noTemplate =
  "The model has no chat template, so the file has none: llama.cpp then writes conversations as ChatML, and Ollama joins " +
  "them bare. If the model was trained on a template, put that into its folder as chat_template.jinja and export again.";

function requireOutput(
  out: string,
  { overwrite, model, alone }: { overwrite: boolean; model: string; alone: boolean },
): void {
  if (extname(out).toLowerCase() !== ".gguf")
    throw new UserError("wrong-file-kind", "only .gguf files are written", { where: out, fix: "Name a .gguf file." });
  if (resolve(out) === resolve(model))
    throw new UserError("file-exists", "this is the model that is read", {
      where: out,
      fix: "Give --out another name.",
    });
  for (const path of alone ? [out] : [out, modelfilePath(out)]) requireWritableFile(path, { overwrite });
}

function account(out: string, { bytes }: Written, { tensors }: GgufContents, others: readonly string[]): string {
  const size = `${out}: ${terminalNumber(tensors.length)} tensors, ${terminalNumber(bytes / 1e6)} MB`;
  const [first] = others;
  return first === undefined ? size : `${size}\n${first}: for Ollama (ollama create NAME -f ${first})`;
}
