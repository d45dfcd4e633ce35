import { afterAll } from "@jest/globals";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommandLine } from "../../src/cli/commands.ts";
import type { Reference } from "../model/reference.ts";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const fixtures = join(root, "test/fixtures");
/** A tiny random model with the tokenizer `w0 w1 ... w47`, and what PyTorch computed with it. */
export const tied = join(fixtures, "model/tied");
export const reference = JSON.parse(readFileSync(join(tied, "reference.json"), "utf8")) as Reference;

/** Runs `tokensift` in this process. */
export async function tokensift(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await runCommandLine(argv, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  });
  return { code, out, err };
}

/** A folder for one test file, removed when its tests are done. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "tokensift-cli-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  return {
    path,
    write(name: string, content: string | Uint8Array): string {
      writeFileSync(path(name), content);
      return path(name);
    },
    writeRows(name: string, rows: readonly object[]): string {
      writeFileSync(path(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      return path(name);
    },
    /** A copy of a model's folder in which files may be changed. */
    copyModel(name: string, from = tied): string {
      cpSync(from, path(name), { recursive: true });
      return path(name);
    },
  };
}

/** The rows of `reference` as tokenized data. */
export const referenceRows = reference.lengths.map((length, row) => ({
  input_ids: reference.ids[row]!.slice(0, length),
  response_mask: reference.response[row]!.slice(0, length),
}));
