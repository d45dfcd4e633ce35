/** Where a command writes: `process.stdout` and `process.stderr`, or anything like them. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  getColorDepth?(env?: object): number;
}

/** Results go to `stdout`, everything said about them to `stderr`. */
export interface Streams {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}
