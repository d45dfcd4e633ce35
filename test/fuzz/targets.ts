import type { Target } from "./target.ts";
import { arrowLibrary } from "./targets/arrow-library.ts";
import { adapter, config, yaml } from "./targets/configurations.ts";
import { json } from "./targets/json.ts";
import { checkpoint, compressed, rows } from "./targets/others.ts";
import { arrow, csv, jsonLines, parquet } from "./targets/tables.ts";
import { pattern, template, verifier } from "./targets/texts.ts";
import { tokenizer } from "./targets/tokenizer.ts";
import { gguf, modelFolder, safetensors } from "./targets/weights.ts";

/** Opens a target; it holds files and threads of its own until it is closed. */
export const targets = {
  verifier,
  template,
  pattern,
  tokenizer,
  json,
  yaml,
  arrow,
  "arrow-library": arrowLibrary,
  parquet,
  "json-lines": jsonLines,
  csv,
  rows,
  compressed,
  safetensors,
  gguf,
  "model-folder": modelFolder,
  config,
  adapter,
  checkpoint,
} as const satisfies Readonly<Record<string, () => Target>>;

export type TargetName = keyof typeof targets;
