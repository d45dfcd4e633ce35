/** Bundles `trainers/`, `bench/` and the command line into the folder that `TOKENSIFT_PROGRAMS` then names, until the process ends. */
export function bundlePrograms(): Promise<void>;
/** Bundles the tests; `whole`: all will run. Returns the folder that mirrors `test/`. */
export function bundleTests(whole: boolean): Promise<string>;
