import { flagsHelp, parseFlags, type Flag, type FlagValues } from "../config/flags.ts";
import { UserError } from "../system/errors.ts";
import type { Streams } from "../system/streams.ts";

/** Runs with the arguments behind its name; throws what goes wrong. Gives the exit code. */
export type Command = (argv: readonly string[], streams: Streams) => Promise<number>;

type Flags = Readonly<Record<string, Flag>>;

const helpFlag = { help: { type: "boolean", short: "h", description: "Show this text." } } as const;

/**
 * Makes a command of its description: parses its flags, answers `--help`.
 * @param usage what follows `tokensift`
 * @param details paragraphs of the help text, below the flags
 */
export function defineCommand<const F extends Flags>(description: {
  usage: string;
  summary: string;
  details?: string;
  flags: F;
  /** Arguments without a flag that may be given; default none. */
  positionals?: number;
  run(values: FlagValues<F>, streams: Streams, positionals: readonly string[]): Promise<void>;
}): Command {
  const { usage, summary, details, positionals: most = 0, run } = description;
  const flags: F & typeof helpFlag = { ...description.flags, ...helpFlag };
  return async (argv, streams) => {
    const { values, positionals } = parseFlags(argv, flags);
    if ((values as { help?: boolean }).help) {
      const end = details === undefined ? "" : `\n${details.trim()}\n`;
      streams.stdout.write(`${summary}\n\n  tokensift ${usage}\n\n${flagsHelp(flags)}\n${end}`);
      return 0;
    }
    const stray = positionals[most];
    if (stray !== undefined)
      throw new UserError("stray-argument", `"${stray}" stands alone`, {
        fix: `Give it to a flag: tokensift ${usage}`,
      });
    await run(values as FlagValues<F>, streams, positionals);
    return 0;
  };
}
