export { extractAnswer, type ExtractedAnswer, type ExtractionRule } from "./extract.ts";
export {
  verifier,
  verifyAnswer,
  type Verification,
  type Verifier,
  type VerifierOptions,
  type VerifyInput,
} from "./verifier.ts";
