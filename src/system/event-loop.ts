/** Lets timers, key presses and signals in. Awaiting results alone never does where they are computed in this thread. */
export async function letEventsIn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
