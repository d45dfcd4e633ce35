export { renderPrompt, tokenizeConversation } from "./conversation.ts";
export { tokenizerFromGguf } from "./gguf-tokenizer.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export { tokenizePromptResponse } from "./prompt-response.ts";
export type { ChatMessage } from "./chat-template.ts";
export type { TokenizedRow } from "./token-row.ts";
export type { Tokenizer } from "./tokenizer.ts";
export { extractAnswer, verifier, verifyAnswer } from "./answers/index.ts";
export type {
  ExtractedAnswer,
  ExtractionRule,
  Verification,
  Verifier,
  VerifierOptions,
  VerifyInput,
} from "./answers/index.ts";
