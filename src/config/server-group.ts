import { Type, type Static } from "@sinclair/typebox";
import { baseOf } from "../server/address.ts";
import { protocolNames, type ProtocolName } from "../server/protocol.ts";
import type { KeyPath, Problem } from "./problem.ts";
import { choice, existingPath, group } from "./schema.ts";
import { count } from "./values.ts";

/** How a server gets the weights of a policy in training. */
export const servedWeights = ["lora", "disk", "restart", "none"] as const;
export type ServedWeights = (typeof servedWeights)[number];

/** Which servers can be given weights, by the way. */
const protocolOf: Readonly<Partial<Record<ServedWeights, ProtocolName>>> = {
  lora: "vllm",
  disk: "sglang",
  restart: "llama-cpp",
};

/** A server that draws responses in place of the run itself. */
export const serverGroup = group(
  {
    url: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Its address: http://127.0.0.1:8000. Of weights: restart, default: a free port of this machine.",
      }),
    ),
    weights: choice(servedWeights, {
      default: "none",
      description:
        "How it gets the policy of each iteration. lora: vLLM loads the adapter; disk: SGLang loads the model from the " +
        "run folder; restart: llama.cpp, which the run starts anew with the adapter; none: it keeps the model that it has.",
    }),
    protocol: Type.Optional(
      choice(protocolNames, {
        description: "Of weights: none, what it speaks; openai and transformers are text in, text out.",
      }),
    ),
    model: Type.Optional(
      Type.String({ minLength: 1, description: "Of weights: none, the name under which it has the model." }),
    ),
    command: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description:
          "Of weights: restart, program and arguments that start it; {model}, {adapter}, {port} and {policy} are put in.",
      }),
    ),
    gguf: Type.Optional(
      existingPath("Of weights: restart, the GGUF file that {model} names. Default: the model, if it is one."),
    ),
    concurrency: count("Requests at a time.", { default: 64, maximum: 4096 }),
    timeout: Type.Number({
      exclusiveMinimum: 0,
      maximum: 86_400,
      default: 600,
      description: "Seconds that a response, or the start of the server, may take.",
    }),
    retryPause: Type.Number({
      exclusiveMinimum: 0,
      maximum: 600,
      default: 0.5,
      description: "Seconds before a failed request is sent again; twice as many before each of four further tries.",
    }),
    keyVariable: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
        description: "The environment variable that holds its key. Default: no key is sent.",
      }),
    ),
  },
  { description: "A server that draws the responses." },
);

export type ServerConfig = Static<typeof serverGroup>;

/** The kind of a checked configuration's server. */
export function protocolNameOf({ weights, protocol }: Pick<ServerConfig, "weights" | "protocol">): ProtocolName {
  return protocolOf[weights] ?? protocol ?? "openai";
}

/** What the server's settings must go with. */
export interface Served {
  /** The model that is trained. */
  model: string | undefined;
  /** Whether it is trained by an adapter; undefined where the model that draws is not trained. */
  adapter: boolean | undefined;
}

/** @param path of the group */
export function serverContradictions(server: ServerConfig | undefined, path: KeyPath, served: Served): Problem[] {
  if (server === undefined) return [];
  const { weights, url, command, model } = server;
  const problems: Problem[] = [];
  const refuse = (key: keyof ServerConfig, message: string) =>
    problems.push({ path: [...path, key], message, ...(server[key] !== undefined && { atKey: true }) });
  const unused = (key: keyof ServerConfig, only: ServedWeights): void => {
    if (server[key] !== undefined && weights !== only) refuse(key, `is not used: weights is ${weights}`);
  };
  if (url !== undefined && baseOf(url) === undefined)
    refuse("url", "must be an address as http://127.0.0.1:8000, without a name, password or question mark in it");
  if (url === undefined && weights !== "restart") refuse("url", "is missing: give the server's address");
  if (served.adapter === undefined && weights !== "none")
    refuse("weights", "must be none: the model that draws is not trained");
  if (served.adapter === false && (weights === "lora" || weights === "restart"))
    refuse("weights", `cannot be ${weights} without an adapter to load: give policy.adapter, or take disk`);
  for (const key of ["protocol", "model"] as const) unused(key, "none");
  for (const key of ["command", "gguf"] as const) unused(key, "restart");
  if (weights === "none" && server.protocol === undefined)
    refuse("protocol", `is missing: say what the server speaks, one of ${protocolNames.join(", ")}`);
  if (weights === "none" && model === undefined && server.protocol !== "llama-cpp" && server.protocol !== "sglang")
    refuse("model", "is missing: give the name under which the server has the model");
  if (weights !== "restart") return problems;
  const missing = ["{adapter}", "{port}", "{policy}"].filter((name) => !command?.some((part) => part.includes(name)));
  if (missing.length > 0)
    refuse(
      "command",
      `must have ${missing.join(" and ")} where ${missing.length > 1 ? "these go" : "it goes"}, as in ${example}`,
    );
  if (server.gguf === undefined && !/\.gguf$/i.test(served.model ?? ""))
    refuse("gguf", "is missing: give the model as a GGUF file, such as `tokensift export` writes");
  return problems;
}

const example = "[llama-server, -m, {model}, --lora, {adapter}, --port, {port}, --alias, {policy}]";
