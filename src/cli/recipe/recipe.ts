import { UserError } from "../../system/errors.ts";
import { defineCommand } from "../command.ts";
import { aligned } from "../layout.ts";
import { checkTrainerName, trainers } from "../trainers.ts";
import { isModuleFolder, writeCopy } from "./write-copy.ts";

const usage = "recipe list | cp NAME FILE.ts|FILE.js [--overwrite]";

/** `tokensift recipe`. */
export const recipe = defineCommand({
  usage,
  summary: "Lists the recipes, or copies the trainer of one into a file of yours, which runs with this package.",
  flags: { overwrite: { type: "boolean", description: "Replace the file if there is one." } },
  positionals: 3,
  run: (values, { stdout }, [action, name, file]) => {
    if (action === "list" && name === undefined) stdout.write(aligned(Object.entries(trainers)));
    else if (action === "cp" && name !== undefined && file !== undefined) {
      checkTrainerName(name);
      const runs = isModuleFolder(file);
      const command = writeCopy(name, file, values.overwrite ?? false);
      stdout.write(`${file} is a copy of ${name} to edit. Run it:\n\n  ${command}\n`);
      if (!runs) stdout.write(`\n${moduleNote}\n`);
    } else throw new UserError("missing-option", "say what to list or to copy", { fix: `tokensift ${usage}` });
    return Promise.resolve();
  },
});

const moduleNote =
  'The package.json above it does not say "type": "module", which the file needs: `npm pkg set type=module`.';
