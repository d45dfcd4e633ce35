import type { AnswerWeight, CharacterSpan, ChatMessage } from "../text/index.ts";
import type { Raw } from "./fields.ts";
import type { GivenTokens } from "./token-format.ts";

/** What a row of any format comes down to. Several may be present: a question with an answer is also a conversation. */
export interface Example {
  messages?: ChatMessage[];
  /** What each message's answer counts; absent where all count 1. */
  messageWeights?: readonly AnswerWeight[];
  /** The column that the first message is from, which a template without a place for it leaves out. */
  systemColumn?: string;
  /** Descriptions of tools, for the chat template. */
  tools?: readonly unknown[];
  documents?: readonly unknown[];
  prompt?: string;
  response?: string;
  /** What the response's column has before the response, which is a part of the prompt. Default: nothing. */
  responseBegins?: string;
  /** What characters of the response count. */
  spans?: readonly CharacterSpan[];
  /** Reference answer for exact match. */
  answer?: string;
  /** A row that is already tokenized; `response` marks the tokens to train. */
  tokens?: GivenTokens;
  /** Columns whose text another part of the row makes useless. */
  unused?: readonly string[];
  /** Sentences without an end on what of the row has no effect. */
  remarks?: readonly string[];
}

export type FormatName =
  | "messages"
  | "prompt-response"
  | "question-answer"
  | "instruction"
  | "preference"
  | "verifiable"
  | "tokens"
  | "text";

/** Which column plays which part, where the usual names do not fit. */
export type FieldName =
  | "messages"
  | "prompt"
  | "response"
  | "question"
  | "answer"
  | "instruction"
  | "input"
  | "output"
  | "system"
  | "history"
  | "context"
  | "body"
  | "tools"
  | "documents"
  | "chosen"
  | "rejected"
  | "rewardModel"
  | "weights"
  | "spans"
  | "text"
  | "ids"
  | "labels"
  | "responseMask"
  | "completionMask"
  | "lossMask"
  | "assistantMask"
  | "endOfTurn"
  | "attentionMask"
  | "positionIds"
  | "textLengths"
  | "textEnds"
  | "textNumbers"
  | "label";

/** A row that cannot be trained, and why. */
export interface Skipped {
  skipped: string;
}

export type Fields = Partial<Record<FieldName, string>>;

export interface Format {
  readonly name: FormatName;
  /** As a person calls it. */
  readonly title: string;
  /** Usual column names by field; the first that exists is taken. */
  readonly names: Partial<Record<FieldName, readonly string[]>>;
  /** Fields without which the format does not apply; each entry is a list of alternatives. */
  readonly required: readonly (readonly FieldName[])[];
  read(raw: Raw, fields: Fields): Example | Skipped;
}
