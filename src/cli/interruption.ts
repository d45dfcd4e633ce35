/** Ctrl-C, or another request to stop, in the middle of work that had to be undone. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}: no file was written`);
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

/** Notices requests to stop, for work that must clean up before the process ends. */
export interface Interruption extends Disposable {
  /**
   * Lets signals in; to be called often.
   * @throws Interrupted
   */
  check(): Promise<void>;
}

/** Until it is disposed of, the first signal is kept for `check`; a second one ends the process at once. */
export function watchInterruption(): Interruption {
  let noticed: Interrupted | undefined;
  const notice = (signal: NodeJS.Signals): void => {
    const interrupted = new Interrupted(signal);
    if (noticed !== undefined) process.exit(interrupted.exitCode);
    noticed = interrupted;
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, notice);
  return {
    async check() {
      await new Promise((resolve) => setImmediate(resolve));
      if (noticed !== undefined) throw noticed;
    },
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, notice);
    },
  };
}
