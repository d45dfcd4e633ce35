export { renderPrompt, tokenizeConversation } from "./conversation.ts";
export { tokenizerFromGguf } from "./gguf-tokenizer.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export { tokenizePromptResponse } from "./prompt-response.ts";
export type { ChatMessage } from "./chat-template.ts";
export type { TokenizedRow } from "./token-row.ts";
export type { Tokenizer } from "./tokenizer.ts";
export { verifier } from "./answers/verifier.ts";
export type { Verification, Verifier, VerifierOptions } from "./answers/verifier.ts";
