import { closeSync, openSync, writeSync } from "node:fs";
import { decoderTensors } from "../../src/model/families/index.ts";
import { parseDecoderConfig } from "../../src/model/config-file.ts";
import { ggufOfModel } from "../../src/model/gguf-file.ts";
import { writeGguf } from "../../src/model/weights/gguf-write.ts";
import { UserError } from "../../src/system/errors.ts";
import { ggufVocabulary, type GgufVocabulary } from "../../src/text/gguf-vocabulary.ts";
import { createTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { tokenizerFromGguf } from "../../src/text/gguf-tokenizer.ts";
import { table } from "./conformance.ts";
import { reference } from "./reference.ts";

/** A tokenizer, and what GGUF files say of it or why they cannot. */
export interface InGguf {
  name: string;
  tokenizer: Tokenizer;
  vocabulary: GgufVocabulary | UserError;
}

const config = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" };

/** Every tokenizer of the table that this library has, and one that SentencePiece made. */
export function inGguf(): InGguf[] {
  const { tokens, scores, types } = reference.sentencepiece;
  const read = tokenizerFromGguf({
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.scores": scores,
    "tokenizer.ggml.token_type": types,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 0,
  });
  const made = Object.entries(table.tokenizers)
    .filter(([name]) => name !== "UnicodeScripts")
    .map(([name, { json }]) => {
      const files = {
        "tokenizer.json": Buffer.from(JSON.stringify(json)),
        "tokenizer_config.json": Buffer.from(JSON.stringify(config)),
      };
      const tokenizer = createTokenizer({ json, config, chatTemplate: undefined, endIds: [], files }, name);
      return { name, tokenizer, vocabulary: vocabularyOf(tokenizer) };
    });
  return [...made, { name: "SentencePiece", tokenizer: read, vocabulary: vocabularyOf(read) }];
}

function vocabularyOf(tokenizer: Tokenizer): GgufVocabulary | UserError {
  try {
    return ggufVocabulary(tokenizer, tokenizer);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** A GGUF file of a tiny model with this vocabulary. */
export async function tinyGguf(path: string, vocabulary: GgufVocabulary): Promise<string> {
  const sizes = { hidden_size: 32, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 2 };
  const size = (vocabulary.entries["tokenizer.ggml.tokens"] as string[]).length;
  const model = parseDecoderConfig({ ...sizes, model_type: "llama", vocab_size: size }, "config.json");
  const shapes = decoderTensors(model);
  const read = async (name: string): Promise<Float32Array> =>
    new Float32Array(shapes.get(name)!.reduce((product, length) => product * length, 1)).fill(0.01);
  const file = openSync(path, "w");
  await writeGguf(ggufOfModel({ config: model, read }, vocabulary, { type: "f32", name: "tiny" }), (bytes) => {
    writeSync(file, bytes);
  });
  closeSync(file);
  return path;
}
