import { constants } from "node:os";

/** Signals that ask a process to stop: Ctrl-C, the end of a container, and what clusters send before they take a machine back. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGUSR1";

/**
 * Ends work that was asked to stop, once that is safe: what it leaves is either nothing or a state to continue from.
 * Thrown without a signal by work that only knows that a request came; `watchInterruption` knows which.
 */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: StopSignal;

  /** @param message where the work stopped and what it left, as a sentence */
  constructor(message: string, signal: StopSignal = "SIGINT") {
    super(message);
    this.signal = signal;
  }

  get exitCode(): number {
    return exitCodeOfSignal(this.signal);
  }
}

/** 128 and the signal's number, as a shell counts: 130, 143, and on Linux 138. */
export function exitCodeOfSignal(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}
