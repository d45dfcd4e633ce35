import { exitCodeOfSignal, Interrupted, type StopSignal } from "./interrupted.ts";

/** Notices requests to stop, for work that must clean up or save before the process ends. */
export interface Interruption extends Disposable {
  /** Whether a request has come; for work that continues to a safe place and stops there. */
  asked(): boolean;
  /**
   * Lets signals in; to be called often.
   * @throws Interrupted
   */
  check(): Promise<void>;
  /** Throws what ended the work, an `Interrupted` with the signal that asked for it. */
  rethrow(error: unknown): never;
}

/**
 * Until it is disposed of, the first signal is kept for `asked` and `check`; a second one ends the process at once.
 * @param onFirst says what will happen
 */
export function watchInterruption(onFirst: (signal: StopSignal) => void = () => undefined): Interruption {
  let noticed: StopSignal | undefined;
  const notice = (signal: NodeJS.Signals): void => {
    if (noticed !== undefined) process.exit(exitCodeOfSignal(signal as StopSignal));
    noticed = signal as StopSignal;
    onFirst(noticed);
  };
  const signals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGUSR1"];
  for (const signal of signals) process.on(signal, notice);
  return {
    asked: () => noticed !== undefined,
    async check() {
      await new Promise((resolve) => setImmediate(resolve));
      if (noticed !== undefined) throw new Interrupted(`stopped by ${noticed}: no file was written`, noticed);
    },
    rethrow(error) {
      if (!(error instanceof Interrupted) || noticed === undefined) throw error;
      throw new Interrupted(error.message.replace(/^stopped:/, `stopped by ${noticed}:`), noticed);
    },
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, notice);
    },
  };
}
