import { pathToFileURL } from "node:url";
import { aligned } from "./layout.ts";
import { checkTrainerName, trainerFile, trainers } from "./trainers.ts";
import type { Command } from "./command.ts";

const help = `Trains with a recipe.

  tokensift train NAME --config FILE [--set KEY=VALUE]... [flags]

${aligned(Object.entries(trainers).map(([name, summary]) => [`  ${name}`, summary]))}
  tokensift train NAME --help tells more; tokensift recipe cp NAME FILE copies its trainer, to edit.
`;

/** `tokensift train`: runs a compiled file of `trainers/` as if it had been started itself. */
export const train: Command = async ([name, ...rest], { stdout }) => {
  if (name === undefined || name === "--help" || name === "-h") {
    stdout.write(help);
    return 0;
  }
  checkTrainerName(name);
  const file = trainerFile(name);
  process.argv = [process.argv[0]!, file, ...rest];
  await import(pathToFileURL(file).href);
  return Number(process.exitCode ?? 0);
};
