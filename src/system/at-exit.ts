/**
 * Cleans up when the process ends. What fails then, as on a disk that has turned read-only, neither hides what ended it nor
 * changes its exit code.
 * @returns calls it off
 */
export function atExit(cleanUp: () => void): () => void {
  const listener = (): void => {
    try {
      cleanUp();
    } catch {
      // nobody is left to be told
    }
  };
  process.once("exit", listener);
  return () => void process.off("exit", listener);
}
