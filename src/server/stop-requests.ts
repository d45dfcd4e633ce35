import { Interrupted } from "../system/interrupted.ts";

/** What ends the requests that got its signal. */
export interface RequestStop extends Disposable {
  readonly signal: AbortSignal;
  /** Ends them at once. */
  stop(reason: unknown): void;
}

const watched = 50; // milliseconds between two looks at whether the person has asked to stop

/** Ends requests when the person asks to stop, as Interrupted with `sentence`, until it is disposed of. */
export function stopRequests(interrupted: () => boolean, sentence: string): RequestStop {
  const abort = new AbortController();
  const watch = setInterval(() => {
    if (interrupted()) abort.abort(new Interrupted(sentence));
  }, watched);
  return {
    signal: abort.signal,
    stop: (reason) => abort.abort(reason),
    [Symbol.dispose]: () => clearInterval(watch),
  };
}
