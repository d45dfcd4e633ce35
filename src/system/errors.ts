/**
 * What went wrong, for a program: a code is part of the interface, while the wording of a message may change.
 * An error that lists several problems has one code for all of them.
 */
export type ErrorCode =
  // Options and arguments, of a function or of the command line
  | "invalid-option" // its value is not one that it can have
  | "missing-option"
  | "unknown-option" // no such flag or setting
  | "unused-option" // given, but without effect beside the others
  | "repeated-option"
  | "conflicting-options"
  | "malformed-option" // not of the form KEY=VALUE
  | "stray-argument"
  | "unknown-command"
  | "unknown-recipe"
  | "unknown-method" // a selection rule, an objective or another entry of a catalogue
  | "unknown-benchmark"

  // Configurations, and the modules that they name
  | "invalid-config" // one problem or a list of them, with their lines
  | "invalid-yaml"
  | "invalid-module" // it cannot be loaded, or exports something else

  // Files and folders
  | "missing-file"
  | "unreadable" // the operating system refuses to open it
  | "not-a-file"
  | "not-a-folder"
  | "invalid-file-name"
  | "file-exists" // nothing is replaced without being asked to
  | "foreign-files" // a folder holds what is not part of the run or model
  | "not-writable"
  | "disk-full" // or the user's quota is used up
  | "file-changed" // while it was read
  | "empty-file"
  | "wrong-file-kind" // by its name or its first bytes
  | "unsupported-file" // the right kind, in a version or form that is not read
  | "damaged-file" // cut short, or its parts contradict each other
  | "invalid-json"
  | "invalid-text" // not UTF-8
  | "too-large" // more bytes or rows than are read at once

  // Data
  | "no-rows"
  | "no-usable-rows" // there are rows, but nothing can be learnt from any of them
  | "unknown-row"
  | "unknown-column"
  | "unknown-split"
  | "unknown-format" // no format of rows has these columns
  | "unknown-question" // a stored response answers none of the data's questions
  | "missing-column"
  | "misaligned-column" // not one number per token
  | "invalid-row"
  | "invalid-pair"
  | "missing-prompt"
  | "missing-answer"
  | "empty-prompt"
  | "no-response"
  | "too-long" // more tokens than the model's context

  // Tokenizers and chat templates
  | "missing-tokenizer"
  | "invalid-tokenizer"
  | "unsupported-tokenizer"
  | "tokenizer-mismatch" // the token ids are those of another tokenizer
  | "unencodable-text"
  | "missing-chat-template"
  | "invalid-chat-template"
  | "unsupported-chat-template" // which tokens are the answer cannot be told

  // Models and adapters
  | "missing-model" // nothing there that could be loaded as a whole model
  | "invalid-model-config"
  | "unsupported-model"
  | "model-mismatch" // made for a model of another shape, or for a state of it after some training
  | "missing-tensor"
  | "unknown-tensor"
  | "repeated-tensor"
  | "not-an-adapter"
  | "invalid-adapter"
  | "unsupported-adapter"
  | "adapted-model" // it has an adapter where none may be
  | "unmergeable-adapter"

  // Numbers and arrays
  | "not-finite"
  | "out-of-range"
  | "wrong-shape" // an array's length or dimensions
  | "invalid-weight" // of a token: not finite, or negative where that has no meaning
  | "nothing-to-divide-by" // weights or shares sum to 0
  | "missing-signal" // numbers per token that a rule or objective reads
  | "reference-mismatch" // a model should give its reference's log-probabilities before the first update

  // Runs
  | "no-run"
  | "run-exists"
  | "run-unfinished" // a trainer left an arm, or a step, before its end
  | "run-in-use" // by another process
  | "reward-failed" // a reward is no finite number, or the user's own function failed
  | "metric-failed" // the user's own metric failed, or gave no finite numbers
  | "diverged" // the training, which was to stop then
  | "run-changed" // it was started with other settings, data or programs
  | "damaged-checkpoint"
  | "damaged-log"
  | "rule-not-stepwise" // a rule that ranks over the dataset has no weights for one step

  // Grids
  | "unknown-metric" // no run of the grid has it
  | "command-failed" // of `before`, of a scheduler, or of a server
  | "cells-failed" // some cells of a grid ended with an error
  | "chosen-on" // a claim would be tested on what its settings were chosen on

  // Servers
  | "server-refused" // it will not do what it is asked, and would not another time
  | "wrong-policy" // another model than the one that was asked has answered

  // The machine
  | "too-little-memory"
  | "engine-unavailable" // or a library of it
  | "engine-memory-full"
  | "process-ended"
  | "closed"; // used after it was closed

/**
 * An error the person at the keyboard can mend: it says what is wrong, where, and how to mend it.
 * The command line prints `message` alone (no stack) and exits with code 2; a program tells errors apart by `code`.
 *
 * @example
 * import { UserError } from "tokensift";
 *
 * const fix = "Give a share above 0, at most 1.";
 * const error = new UserError("invalid-option", "the ratio is 2", { where: "selection.ratio", fix });
 * error.message; //=> "selection.ratio: the ratio is 2\n  Give a share above 0, at most 1."
 * error.code; //=> "invalid-option"
 */
export class UserError extends Error {
  override readonly name = "UserError";
  /** What is wrong, for a program. */
  readonly code: ErrorCode;

  /**
   * @param code what is wrong, for a program
   * @param what what is wrong, as a sentence
   * @param details `where`: file, row, key or shape; `fix`: what to do about it
   */
  constructor(code: ErrorCode, what: string, details: { where?: string; fix?: string; cause?: unknown } = {}) {
    const where = details.where === undefined ? "" : `${details.where}: `;
    const fix = details.fix === undefined ? "" : `\n  ${details.fix}`;
    super(`${where}${what}${fix}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
  }
}
