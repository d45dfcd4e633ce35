import type { SignalSource, TokenBatch } from "../../contract/index.ts";
import { serverAddress } from "../../server/address.ts";
import { atOnce } from "../../server/at-once.ts";
import { serverClient } from "../../server/client.ts";
import { RequestFailure } from "../../server/failure.ts";
import { protocolNames } from "../../server/protocol.ts";
import { protocols } from "../../server/protocols/index.ts";
import { stopRequests } from "../../server/stop-requests.ts";
import { UserError } from "../../system/errors.ts";
import { Outage } from "../../system/outage.ts";
import { oneOf } from "../values.ts";

/** Flags of a server whose model is the reference. */
export const serverFlags = {
  server: { type: "string", value: "URL", description: "A server whose model gives referenceNll: --reference-model." },
  "server-protocol": { type: "string", value: "NAME", description: "What it speaks: vllm (default) or sglang." },
  "server-model": { type: "string", value: "NAME", description: "The name under which it has the model." },
  "server-key": { type: "string", value: "VARIABLE", description: "The environment variable that holds its key." },
} as const;

type ServerValues = { readonly [K in keyof typeof serverFlags | "reference-model"]?: string };

const timeout = 600_000;

/**
 * Losses under the model of a server, which must have the tokenizer of `--model`: tokens go as ids.
 * @returns undefined where no server is asked for
 * @throws UserError for flags that do not go together, and for a kind of server that does not tell losses of given tokens
 */
export function servedSource(
  values: ServerValues,
  interrupted: () => boolean,
): SignalSource<"referenceNll"> | undefined {
  const url = values.server;
  if (url === undefined) {
    for (const flag of ["server-protocol", "server-model", "server-key"] as const)
      if (values[flag] !== undefined)
        throw new UserError("unused-option", `--${flag} has no server`, { fix: "Give --server URL." });
    return undefined;
  }
  if (values["reference-model"] !== undefined)
    throw new UserError("conflicting-options", "--server and --reference-model both give referenceNll", {
      fix: "Give one of them.",
    });
  const protocol = protocols[oneOf("server-protocol", values["server-protocol"] ?? "vllm", protocolNames)];
  const address = serverAddress(url, "--server", values["server-key"]);
  if (protocol.score === undefined)
    throw new UserError("invalid-option", `${protocol.name} does not tell the losses of given tokens`, {
      where: "--server-protocol",
      fix: "Ask a server of vLLM or SGLang, or load the model here: --reference-model.",
    });
  const model = values["server-model"];
  if (model === undefined && protocol.name === "vllm")
    throw new UserError("missing-option", "--server-model is missing", { fix: "Give the name of the server's model." });
  const losses = async (batch: TokenBatch): Promise<Float32Array> => {
    using requests = stopRequests(interrupted, "stopped: no file was written");
    const client = serverClient(address, protocol, { timeout, signal: requests.signal });
    const result = new Float32Array(batch.rows * batch.width);
    const row = async (index: number): Promise<void> => {
      const start = index * batch.width;
      const ids = [...batch.ids.subarray(start, start + batch.lengths[index]!)];
      if (ids.length < 2) return;
      try {
        const logProbs = await client.score!({ model: model ?? "", ids });
        logProbs.forEach((value, t) => (result[start + 1 + t] = value === 0 ? 0 : -value));
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error;
        await client.requireUp(error);
        throw new Outage(`The server ${client.url} gives no losses of row ${batch.rowIds[index]}: ${error.message}.`);
      }
    };
    const rows = Array.from({ length: batch.rows }, (_, index) => index);
    await atOnce(rows, batch.rows, row, (reason) => requests.stop(reason));
    return result;
  };
  return {
    gives: ["referenceNll"],
    compute: async (batch) => ({ referenceNll: await losses(batch) }),
    save: () => ({}),
    restore: () => undefined,
  };
}
