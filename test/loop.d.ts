declare module "*/oreal.ts?loop" {
  import type { OrealRun } from "tokensift/recipes";

  /** What `trainers/oreal.ts` does in a run. */
  export const loop: (run: OrealRun) => Promise<void>;
}
