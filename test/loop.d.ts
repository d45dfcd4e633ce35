declare module "*/oreal.ts?loop" {
  import type { OrealRun } from "tokensift/recipes";

  /** What `trainers/oreal.ts` does in a run. */
  export const loop: (run: OrealRun) => Promise<void>;
}

declare module "*/finetune.ts?loop" {
  import type { FinetuneRun } from "tokensift/recipes";

  /** What `trainers/finetune.ts` does in a run. */
  export const loop: (run: FinetuneRun) => Promise<void>;
}
