/** Ctrl-C, or another request to stop, in the middle of work that had to be undone. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}: no file was written`);
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

/** Notices requests to stop, for work that must clean up or save before the process ends. */
export interface Interruption extends Disposable {
  /** Whether a request has come; for work that goes on to a good place and stops there. */
  asked(): boolean;
  /**
   * Lets signals in; to be called often.
   * @throws Interrupted
   */
  check(): Promise<void>;
}

/**
 * Until it is disposed of, the first signal is kept for `asked` and `check`; a second one ends the process at once.
 * @param onFirst says what will happen
 */
export function watchInterruption(onFirst: () => void = () => undefined): Interruption {
  let noticed: Interrupted | undefined;
  const notice = (signal: NodeJS.Signals): void => {
    const interrupted = new Interrupted(signal);
    if (noticed !== undefined) process.exit(interrupted.exitCode);
    noticed = interrupted;
    onFirst();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, notice);
  return {
    asked: () => noticed !== undefined,
    async check() {
      await new Promise((resolve) => setImmediate(resolve));
      if (noticed !== undefined) throw noticed;
    },
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, notice);
    },
  };
}
