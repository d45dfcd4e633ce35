import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Folder names that a path starts with rather than an account on a hub. */
const localFolders = ["checkpoints", "configs", "data", "datasets", "models", "out", "output", "outputs", "runs"];

/**
 * What to do where a path that does not exist has the form of an id on the Hugging Face hub (`openai/gsm8k`).
 * @param given the path as the person wrote it
 * @param kind whether it should have been a model or data
 * @param full the path that was looked for, where `given` is not relative to the current folder
 * @returns undefined for what must be meant as a path: one with a file's ending, or whose folder exists
 */
export function downloadHint(given: string, kind: "model" | "data", full = resolve(given)): string | undefined {
  const [, owner, name] = /^([A-Za-z0-9][\w.-]{0,95})\/([A-Za-z0-9][\w.-]{0,95})$/.exec(given) ?? [];
  if (owner === undefined || name === undefined) return undefined;
  const isFile = /\.(arrow|csv|feather|gguf|ipc|jsonl?|ndjson|parquet|safetensors|tsv|txt|ya?ml|[mc]?[jt]s)(\.\w+)?$/i;
  if (localFolders.includes(owner.toLowerCase()) || isFile.test(name) || existsSync(dirname(full))) return undefined;
  const [type, folder] = kind === "model" ? ["", "models"] : ["--repo-type dataset ", "datasets"];
  const rest = `download ${given} ${type}--local-dir ${folder}/${name}`;
  return (
    `Nothing is downloaded by itself. If ${given} is an id on the Hugging Face hub, fetch it with ` +
    `\`hf ${rest}\` (before huggingface_hub 0.34: \`huggingface-cli ${rest}\`), then name that folder.`
  );
}
