import { watchRun } from "../report/watch/watch-run.ts";
import { watchInterruption } from "../system/interruption.ts";
import { optional } from "../system/optional.ts";
import { terminalText } from "../system/visible-text.ts";
import { UserError } from "../system/errors.ts";
import { defineCommand } from "./command.ts";
import { wholeNumber } from "./values.ts";

/** `tokensift watch`. */
export const watch = defineCommand({
  usage: "watch RUN [--port N]",
  summary: "Shows a run's page in the browser while the run goes on.",
  details:
    "Only this machine can read it (127.0.0.1). Nothing is written, and nothing of the folder is served but its report.html.\n" +
    "A finished run is shown as well. Ctrl-C ends it.",
  flags: { port: { type: "string", value: "N", description: "Default: one that is free." } },
  positionals: 1,
  run: async (values, { stdout }, [folder]) => {
    if (folder === undefined)
      throw new UserError("missing-option", "the run's folder is missing", { fix: "tokensift watch runs/my-run" });
    const port = wholeNumber("port", values.port, { minimum: 1, maximum: 65_535 });
    using interruption = watchInterruption();
    const watching = await watchRun(folder, optional({ port }));
    stdout.write(`${terminalText(folder)}: ${watching.url} (Ctrl-C ends it)\n`);
    while (!interruption.asked()) await new Promise((resolve) => setTimeout(resolve, 100));
    await watching.close();
  },
});
