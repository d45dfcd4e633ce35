/** A request that came to nothing and may be sent again: refused for now, cut off, too slow, or answered with what is no answer. */
export class RequestFailure extends Error {
  override readonly name = "RequestFailure";
  /** Milliseconds after which the server wants to be asked again. */
  readonly retryAfter: number | undefined;

  /** @param message what happened, without the address */
  constructor(message: string, { retryAfter, cause }: { retryAfter?: number | undefined; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.retryAfter = retryAfter;
  }
}
