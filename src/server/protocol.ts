/** What is to be continued, and how. */
export interface CompletionRequest {
  /** Name under which the server has the model. */
  readonly model: string;
  readonly prompt: readonly number[];
  /** The same as text, for servers that take no ids. */
  readonly promptText: () => string;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK?: number | undefined;
  readonly seed: number;
  /** Ids that end an answer. */
  readonly stop: readonly number[];
}

/** What a server continues a prompt with. */
export interface Completion {
  /** What it says that has answered. */
  readonly model: string | undefined;
  /** The new tokens, with the one that ends the answer; undefined where the server gives text alone. */
  readonly ids: readonly number[] | undefined;
  readonly text: string;
  /** Whether it came to its end, and not to `maxNewTokens`. */
  readonly finished: boolean;
  /** Of each id, under the server's own model, before temperature and truncation; null where it is not told. */
  readonly logProbs: readonly (number | null)[] | undefined;
}

/** Tokens that a server gives log-probabilities of. */
export interface ScoreRequest {
  readonly model: string;
  readonly ids: readonly number[];
}

/** How a request is put to a kind of server, and its answer read. Readers throw `RequestFailure`. */
export interface Exchange<Request, Answer> {
  readonly path: string;
  body(request: Request): object;
  read(answer: unknown, request: Request): Answer;
}

/** What a kind of server understands. */
export interface ServerProtocol {
  readonly name: ProtocolName;
  /** Asked whether the server is up. */
  readonly health: string;
  readonly complete: Exchange<CompletionRequest, Completion>;
  /** Log-probabilities of every token but the first, of servers that tell those of a prompt. */
  readonly score?: Exchange<ScoreRequest, Float32Array>;
}

export const protocolNames = ["vllm", "sglang", "llama-cpp", "transformers", "openai"] as const;
export type ProtocolName = (typeof protocolNames)[number];
