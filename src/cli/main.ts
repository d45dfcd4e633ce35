#!/usr/bin/env node
import { runCommandLine } from "./commands.ts";

// A reader that has seen enough (`| head`) closes the pipe; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`tokensift: standard output cannot be written: ${error.message}\n`);
  process.exit(2);
});
process.stderr.on("error", () => undefined);

process.exitCode = await runCommandLine(process.argv.slice(2), process);
