import type { ProtocolName, ServerProtocol } from "../protocol.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { openai } from "./openai.ts";
import { sglang } from "./sglang.ts";
import { transformers } from "./transformers.ts";
import { vllm } from "./vllm.ts";

/** Every kind of server by its name. */
export const protocols: Readonly<Record<ProtocolName, ServerProtocol>> = {
  vllm,
  sglang,
  "llama-cpp": llamaCpp,
  transformers,
  openai,
};
