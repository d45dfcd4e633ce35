import type { EngineListing } from "../src/tensor/engine.ts";

/** The engines of this package, as `test/list-engines.ts` found them. */
export const engineListings = JSON.parse(process.env["TOKENSIFT_ENGINES"]!) as readonly EngineListing[];
