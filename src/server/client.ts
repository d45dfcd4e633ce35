import { Outage } from "../system/outage.ts";
import type { ServerAddress } from "./address.ts";
import { answerFields } from "./answer-fields.ts";
import { ask, jsonOf, type Question } from "./ask.ts";
import { RequestFailure } from "./failure.ts";
import { patiently, type Patience, type StopSignal, usualPatience } from "./patience.ts";
import type { Completion, CompletionRequest, Exchange, ScoreRequest, ServerProtocol } from "./protocol.ts";

/** How a server is asked. */
export interface ClientOptions {
  /** Milliseconds that a request may take. */
  readonly timeout: number;
  /** Ends all requests at once. */
  readonly signal?: StopSignal | undefined;
  readonly patience?: Patience;
  /** Why the server will not come back by itself, where that is known. */
  readonly goneFor?: (() => string | undefined) | undefined;
}

/** A message of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Asks one server. Every request is repeated while it fails for now. */
export interface ServerClient {
  /** The server's address, for messages. */
  readonly url: string;
  /** Continues a prompt. */
  complete(request: CompletionRequest): Promise<Completion>;
  /** Log-probabilities of every token but the first; absent where the protocol does not tell them. */
  readonly score: ((request: ScoreRequest) => Promise<Float32Array>) | undefined;
  /** Answers a conversation, by OpenAI's interface, which every kind of server has. */
  chat(request: ChatRequest): Promise<{ text: string; finished: boolean; model: string | undefined }>;
  /** Sends an order, to which the answer may be any text. */
  order(path: string, body: object): Promise<string>;
  /** Whether the server is up, asked once. */
  isUp(): Promise<boolean>;
  /**
   * What a request that failed in all its tries means: nothing more than that where the server is up.
   * @throws Outage where it is not
   */
  requireUp(failure: RequestFailure): Promise<void>;
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly seed?: number;
}

/** Room for an answer's tokens with their log-probabilities, and for what servers say beside them. */
const bytesOf = (tokens: number): number => 1_000_000 + 4_000 * tokens;
const shortest = 10_000;

/**
 * @example
 * import { serverAddress } from "./address.ts";
 * import { protocols } from "./protocols/index.ts";
 *
 * const address = serverAddress("http://127.0.0.1:8000", "--server");
 * const { chat } = serverClient(address, protocols.vllm, { timeout: 60_000 });
 * const messages = [{ role: "user", content: "Is 91 prime?" }] as const;
 * const { text } = await chat({ model: "judge", messages, maxNewTokens: 50, temperature: 0 });
 */
export function serverClient(
  address: ServerAddress,
  protocol: ServerProtocol,
  { timeout, signal: stop, goneFor, patience = usualPatience }: ClientOptions,
): ServerClient {
  const url = address.base;
  const signal = stop as AbortSignal | undefined;
  const once = (question: Omit<Question, "timeout" | "signal">) => ask(address, { ...question, timeout, signal });
  const exchange = <Request, Answer>(by: Exchange<Request, Answer>, request: Request, tokens: number) =>
    patiently(
      async () => {
        const text = await once({ path: by.path, body: by.body(request), mostBytes: bytesOf(tokens) });
        return by.read(jsonOf(text), request);
      },
      patience,
      { signal, goneFor },
    );
  const { score } = protocol;
  const isUp = async (): Promise<boolean> => {
    try {
      await ask(address, { path: protocol.health, timeout: shortest, mostBytes: bytesOf(0), signal });
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      return !(error instanceof RequestFailure);
    }
  };
  return {
    url,
    complete: (request) => exchange(protocol.complete, request, request.maxNewTokens),
    score: score && ((request) => exchange(score, request, request.ids.length)),
    chat: (request) => exchange(chatExchange, request, request.maxNewTokens),
    order: (path, body) => patiently(() => once({ path, body, mostBytes: bytesOf(0) }), patience, { signal, goneFor }),
    isUp,
    async requireUp(failure) {
      const gone = goneFor?.();
      if (gone === undefined && (await isUp())) return;
      throw new Outage(`The server ${url} is gone: ${gone ?? failure.message}.`, { cause: failure });
    },
  };
}

const chatExchange: Exchange<ChatRequest, { text: string; finished: boolean; model: string | undefined }> = {
  path: "v1/chat/completions",
  body: ({ model, messages, maxNewTokens, temperature, seed }) => ({
    ...{ model, messages, temperature, stream: false },
    max_tokens: maxNewTokens,
    ...(seed !== undefined && { seed }),
  }),
  read(answer) {
    const fields = answerFields(answer);
    const choice = fields.at("choices").at(0);
    return {
      text: choice.at("message").at("content").text(),
      finished: choice.at("finish_reason").textOr("") === "stop",
      model: fields.at("model").textOr(undefined),
    };
  },
};
