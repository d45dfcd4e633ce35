/** Watches for Ctrl-C and the system's request to end. */
export interface Interrupt {
  /** From now on the first signal asks to stop after the step under way; before that, and the second time, it ends at once. */
  watch(): () => boolean;
  end(): void;
}

const signals = ["SIGINT", "SIGTERM"] as const;

export function watchForInterrupt(): Interrupt {
  let [watching, asked] = [false, false];
  const onSignal = (): void => {
    if (!watching || asked) process.exit(130);
    asked = true;
    process.stderr.write("\nStopping after this step; once more ends at once.\n");
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    watch() {
      watching = true;
      return () => asked;
    },
    end: () => signals.forEach((signal) => process.off(signal, onSignal)),
  };
}
