import { UserError } from "../../system/errors.ts";
import { defineCommand } from "../command.ts";
import { flagNames, rowFlags } from "../data-flags.ts";
import { convert } from "./convert.ts";

const usage = "data convert PATH... --out FILE.arrow|FILE.jsonl [--model DIR|FILE.gguf] [flags]";

/** `tokensift data`. */
export const data = defineCommand({
  usage,
  summary: "Writes data that can be read, rows or their tokens, as one file of Arrow or JSON Lines.",
  details: `
PATH is what --data of the other commands and data.train may be: files, folders, patterns. The file gets its name when it
is complete; what is left out is said, with counts and reasons.

Without --model the rows are written as they stand, column by column. In an Arrow file a column of objects, or of lists
of such (messages, tools, …), becomes JSON text, which is read like what it says; columns of types that are not read
(dates, bytes, …) are left out.

With --model the rows are written as the tokens that train: rowId (the row's number in the data), input_ids, labels (-100
where a token does not train), response_mask (what each token counts, 0 where it does not train), end_of_turn (1 on tokens
that end a response), and the per-token columns. Read as data.train they give the same training rows under any recipe of
the same model; with other tools labels are what they expect.`,
  flags: {
    out: { type: "string", short: "o", value: "FILE", description: "What to write: FILE.arrow or FILE.jsonl." },
    overwrite: { type: "boolean", description: "Replace the file if it exists." },
    model: {
      type: "string",
      value: "PATH",
      description: "Write tokens, by the tokenizer of this folder or GGUF file.",
    },
    "max-tokens": { type: "string", value: "N", description: "With --model: cut longer rows. Default: no limit." },
    ...rowFlags,
  },
  positionals: Infinity,
  run: async (values, streams, [action, ...paths]) => {
    if (action !== "convert")
      throw new UserError("missing-option", action === undefined ? "say what to do" : `there is no "data ${action}"`, {
        fix: `tokensift ${usage}`,
      });
    if (paths.length === 0)
      throw new UserError("missing-option", "say what to convert", {
        fix: `Name a file or folder: tokensift ${usage}`,
      });
    await convert(paths, values, flagNames({ data: "" }), streams);
  },
});
