/** Does nothing for so many milliseconds, and lets nothing else of this thread run. */
export function pauseThread(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
