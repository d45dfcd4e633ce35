export { gateEviction, scoreEviction } from "./evictions.ts";
export { raggedCache, type PrefillEviction } from "./ragged-cache.ts";
