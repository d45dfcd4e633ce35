export { promptAccount, type PromptAccount } from "./prompt-account.ts";
export { gateEviction, keepEverything, scoreEviction } from "./evictions.ts";
export { raggedCache, type PrefillEviction, type RaggedCache, type RaggedCacheOptions } from "./ragged-cache.ts";
