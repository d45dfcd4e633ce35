import { resolve } from "node:path";
import { openDataset, openTable } from "../../data/open-dataset.ts";
import { createProgress } from "../../report/progress.ts";
import { diskError } from "../../system/disk-error.ts";
import { UserError } from "../../system/errors.ts";
import { watchInterruption } from "../../system/interruption.ts";
import { optional } from "../../system/optional.ts";
import type { OptionNames } from "../../system/option-names.ts";
import type { Streams } from "../../system/streams.ts";
import { terminalText } from "../../system/visible-text.ts";
import { datasetOptions, tokenOptions } from "../data-flags.ts";
import { openTokenizer } from "../open-tokenizer.ts";
import { requireWritable } from "../score/request.ts";
import { requiredValue, wholeNumber } from "../values.ts";
import type { Working } from "./working.ts";
import { withFlag } from "../with-flag.ts";
import { writeRawRows } from "./raw-rows.ts";
import { writeTokenRows } from "./token-rows.ts";

type ConvertFlags = Parameters<typeof datasetOptions>[0] &
  Parameters<typeof tokenOptions>[0] & { out?: string; overwrite?: boolean; model?: string; "max-tokens"?: string };

/** Flags that change tokens alone. */
const ofTokens = [
  ...(["format", "field", "token-column", "train-turns", "chat-template", "max-tokens"] as const),
  ...(["prompt-weight", "system-weight"] as const),
];

/** Writes the data of the paths as one file; whatever goes wrong, no part of a file stays. */
export async function convert(
  paths: readonly string[],
  values: ConvertFlags,
  names: OptionNames,
  { stderr }: Streams,
): Promise<void> {
  const out = requiredValue("out", values.out, "the file to write, FILE.arrow or FILE.jsonl");
  for (const path of paths) requireWritable(out, { overwrite: values.overwrite ?? false, data: path });
  const idle = ofTokens.find((flag) => values[flag] !== undefined);
  if (values.model === undefined && idle !== undefined)
    throw new UserError(
      "unused-option",
      `--${idle} changes tokens, and without --model rows are written as they stand`,
      { fix: "Give --model as well, or leave it out." },
    );
  using interruption = watchInterruption();
  const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
  const progress = progressOn(stderr);
  const working: Working = {
    say,
    async rows(done, total) {
      progress.rows(done, total);
      await interruption.check();
    },
  };
  try {
    say(`${out}: ${await (values.model === undefined ? rawRows() : tokenRows(values.model))}`);
  } catch (error) {
    throw diskError(error, out, "convert again", "Name another file with --out.");
  } finally {
    progress.done();
  }

  async function rawRows(): Promise<string> {
    const limit = wholeNumber("rows", values.rows);
    const { name, table } = await openTable(paths, { names, ...optional({ split: values.split }) });
    try {
      requireOther(table.files, out);
      return await writeRawRows(table, { out, name, limit, working });
    } finally {
      await table.close();
    }
  }

  async function tokenRows(model: string): Promise<string> {
    const maxTokens = wholeNumber("max-tokens", values["max-tokens"], { minimum: 2 });
    const options = { ...tokenOptions(values), ...optional({ maxTokens }) };
    const dataset = await openDataset(paths, { ...datasetOptions(values), names });
    try {
      requireOther(dataset.files, out);
      const { tokenizer } = await withFlag("model", model, openTokenizer);
      return await writeTokenRows(dataset, tokenizer, { out, options, working });
    } finally {
      await dataset.close();
    }
  }
}

function requireOther(files: readonly string[], out: string): void {
  if (!files.some((file) => resolve(file) === resolve(out))) return;
  throw new UserError("file-exists", "this is one of the files that are read", {
    where: out,
    fix: "Give --out another name.",
  });
}

/** A terminal is shown how far it is. */
function progressOn(stderr: Streams["stderr"]): { rows(done: number, total: number): void; done(): void } {
  let shown: ReturnType<typeof createProgress> | undefined;
  return {
    rows(done, total) {
      if (stderr.isTTY !== true || total === 0) return;
      shown ??= createProgress({ stream: stderr, total, label: "converting" });
      shown.update({ step: done });
    },
    done: () => shown?.done(),
  };
}
