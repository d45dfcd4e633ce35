import { setTimeout as sleep } from "node:timers/promises";
import { RequestFailure } from "./failure.ts";

/** How often a request is sent again. */
export interface Patience {
  /** Times that it is sent at most. */
  readonly tries: number;
  /** Milliseconds before it is sent a second time; twice as many before each further one. */
  readonly pause: number;
}

/** An `AbortSignal`, for programs whose types know none. */
export interface StopSignal {
  readonly aborted: boolean;
  throwIfAborted(): void;
}

/** Six tries within 16 seconds, and the time that they take. */
export const usualPatience: Patience = { tries: 6, pause: 500 };

/**
 * Repeats what fails for now, ever later.
 * @param control `goneFor` tells of a server that will not come back by itself; it is not asked again then
 * @throws RequestFailure of the last try
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { tries, pause }: Patience,
  { signal, goneFor }: { signal?: StopSignal | undefined; goneFor?: (() => string | undefined) | undefined } = {},
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RequestFailure) || tried === tries || goneFor?.() !== undefined) throw error;
      const wait = Math.max(error.retryAfter ?? 0, pause * 2 ** (tried - 1));
      await sleep(wait, undefined, { signal: signal as AbortSignal | undefined }).catch(() => signal?.throwIfAborted());
    }
  }
}
