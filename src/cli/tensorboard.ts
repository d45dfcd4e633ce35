import { basename, join, resolve } from "node:path";
import { writeFileAtomically } from "../data/atomic.ts";
import { eventFile } from "../report/event-file.ts";
import { readArm } from "../report/read-arm.ts";
import { runScalars } from "../report/run-scalars.ts";
import { diskError } from "../system/disk-error.ts";
import { UserError } from "../system/errors.ts";
import { makeFolder } from "../system/make-folder.ts";
import { terminalText } from "../system/visible-text.ts";
import { armFolders } from "../training/run-folder.ts";
import { defineCommand } from "./command.ts";
import { requiredValue } from "./values.ts";

/** `tokensift tensorboard`. */
export const tensorboard = defineCommand({
  usage: "tensorboard RUN RUN … --out FOLDER",
  summary: "Writes the logs of runs as event files for TensorBoard.",
  details:
    "FOLDER/RUN/ARM/events.out.tfevents.tokensift of every arm: train/KEY of metrics.jsonl, eval/KEY of evaluation.jsonl,\n" +
    "time/KEY of timing.jsonl. Give it again while a run goes on, and TensorBoard shows what has come.",
  flags: { out: { type: "string", value: "FOLDER", description: "For `tensorboard --logdir FOLDER`." } },
  positionals: 10_000,
  run: async (values, { stdout }, folders) => {
    const out = requiredValue("out", values.out, "the folder to write, such as logs");
    if (folders.length === 0)
      throw new UserError("missing-option", "there is no run", { fix: "Name the folders of runs." });
    for (const folder of folders)
      for (const arm of armFolders(folder)) {
        const scalars = runScalars(arm);
        if (scalars.length === 0) continue;
        const file = join(out, basename(resolve(folder)), readArm(arm, {}).name, "events.out.tfevents.tokensift");
        try {
          makeFolder(join(file, ".."));
          writeFileAtomically(file, eventFile(scalars));
        } catch (error) {
          throw diskError(error, file, "write it again", "Name another place with --out.");
        }
        stdout.write(`${terminalText(file)}: ${scalars.length} numbers\n`);
      }
  },
});
