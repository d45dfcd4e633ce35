import { createHash } from "node:crypto";
import { join } from "node:path";
import { protocolNameOf, type ServerConfig } from "../../../config/server-group.ts";
import type { Model } from "../../../model/model.ts";
import { serverAddress } from "../../../server/address.ts";
import { type ClientOptions, type ServerClient, serverClient } from "../../../server/client.ts";
import { freePort, type OwnServer, startServer } from "../../../server/own-server.ts";
import { protocols } from "../../../server/protocols/index.ts";
import { stopRequests } from "../../../server/stop-requests.ts";
import { UserError } from "../../../system/errors.ts";
import { Outage } from "../../../system/outage.ts";
import type { Question } from "../responses/index.ts";
import { openAnswerStore } from "./answer-store.ts";
import { drawFromServer, type ServedDraw, type ServedDrawOptions, type ServedSampling } from "./draw.ts";
import { savePolicy } from "./policy-files.ts";

/** What a server draws for. */
export interface ServedRun {
  /** The policy, or the model that the server has. */
  readonly model: Pick<Model, "tokenizer" | "config"> | Model;
  /** Where the model before training lies. */
  readonly start: string;
  /** The run folder. */
  readonly run: string;
  readonly sampling: ServedSampling;
  readonly seed: number;
  /** Whether the person has asked to stop: requests end at once then. */
  readonly interrupted: () => boolean;
  readonly note?: (sentence: string) => void;
}

/** One round of drawing. */
export interface ServedRound extends Pick<ServedDrawOptions, "onProgress"> {
  readonly iteration: number;
  /** File of the answers, in the run folder. */
  readonly answers: string;
}

/**
 * Draws the responses of one round by the configured server. The policy is saved and announced under a name of its own,
 * which every answer must say; answers of an earlier process to the same weights are kept, and where none is missing the
 * server is not asked at all.
 * @throws Outage where the server is gone, Interrupted where the person asks to stop; what has come is kept
 */
export async function drawServed(
  server: ServerConfig,
  questions: readonly Question[],
  { iteration, answers, onProgress }: ServedRound,
  about: ServedRun,
): Promise<ServedDraw> {
  const { model, run, sampling, seed } = about;
  const { weights } = server;
  const name = policyName(iteration);
  const announced = weights === "none" ? (server.model ?? "") : `${name}-${tagOf(run)}`;
  const saved =
    weights === "none"
      ? undefined
      : await savePolicy(model as Model, { folder: join(run, "server/policy"), name, weights, start: about.start });
  const store = openAnswerStore(join(run, answers), {
    policy: saved?.digest ?? announced,
    ...{ protocol: protocolNameOf(server), ...sampling, seed, iteration },
    questions: createHash("sha256")
      .update(JSON.stringify(questions.map(({ rowId, prompt }) => [rowId, prompt])))
      .digest("hex"),
  });
  let own: OwnServer | undefined;
  try {
    using requests = stopRequests(about.interrupted, "Stopped while responses were drawn.");
    const complete = questions.length * sampling.samples;
    const options = clientOptions(server, requests.signal, () => own?.ended());
    const open = async (): Promise<ServerClient> => {
      if (store.answers.size >= complete) return clientOf(server, server.url ?? "http://127.0.0.1", options);
      if (weights !== "restart") return clientOf(server, server.url!, options);
      const url = server.url ?? `http://127.0.0.1:${await freePort()}`;
      own = await startOwn(server, { url, adapter: saved!.path, policy: announced, signal: requests.signal }, about);
      return clientOf(server, url, options);
    };
    const client = await open();
    if (store.answers.size < complete && saved !== undefined)
      await announce(client, server, {
        name: announced,
        path: saved.path,
        before: `${policyName(iteration - 1)}-${tagOf(run)}`,
      });
    return await drawFromServer(questions, {
      ...{ client, store, sampling, seed, iteration, onProgress },
      ...{ model: announced, named: weights !== "none" },
      tokenizer: model.tokenizer,
      shape: model.config,
      concurrency: server.concurrency,
      stop: (reason) => requests.stop(reason),
    });
  } catch (error) {
    if (!(error instanceof Outage)) throw error;
    const kept = `${store.answers.size} of ${questions.length * sampling.samples} responses of this round are kept`;
    throw new Outage(`${error.message} ${kept}. Continue with --resume.`, { cause: error });
  } finally {
    store.close();
    await own?.stop();
  }
}

/** The policy after so many iterations. */
export function policyName(iteration: number): string {
  return `policy-${String(iteration).padStart(6, "0")}`;
}

/** Tells the policies of runs that share a server apart. */
function tagOf(run: string): string {
  return createHash("sha256").update(run).digest("hex").slice(0, 6);
}

function clientOptions(
  { timeout, retryPause }: ServerConfig,
  signal: AbortSignal,
  goneFor: () => string | undefined,
): ClientOptions {
  return { timeout: timeout * 1000, patience: { tries: 6, pause: retryPause * 1000 }, signal, goneFor };
}

function clientOf(server: ServerConfig, url: string, options: ClientOptions): ServerClient {
  const address = serverAddress(url, "sampling.server.url", server.keyVariable);
  return serverClient(address, protocols[protocolNameOf(server)], options);
}

/** Has a running server load a policy under its name. */
async function announce(
  client: ServerClient,
  { weights }: ServerConfig,
  { name, path, before }: { name: string; path: string; before: string },
): Promise<void> {
  if (weights === "lora") {
    // one of the same name may be left from a process that was killed, and be another policy
    for (const old of [before, name]) await forget(client, old);
    await client.order("v1/load_lora_adapter", { lora_name: name, lora_path: path });
  } else if (weights === "disk") {
    const said = await client.order("update_weights_from_disk", {
      model_path: path,
      weight_version: name,
      abort_all_requests: true,
    });
    if (!/"success"\s*:\s*true/.test(said.slice(0, 2000)))
      throw new UserError("server-refused", `the server did not load the policy: ${said.slice(0, 300)}`, {
        where: client.url,
        fix: `It must see the folder under the same path: ${path}`,
      });
  }
}

async function forget(client: ServerClient, name: string): Promise<void> {
  try {
    await client.order("v1/unload_lora_adapter", { lora_name: name });
  } catch (error) {
    if (!(error instanceof UserError)) throw error; // it has none of that name
  }
}

function startOwn(
  { command = [], gguf, timeout }: ServerConfig,
  served: { url: string; adapter: string; policy: string; signal: AbortSignal },
  { run, start }: Pick<ServedRun, "run" | "start">,
): Promise<OwnServer> {
  const { url, adapter, policy, signal } = served;
  const { port } = new URL(url);
  const values: Readonly<Record<string, string>> = { model: gguf ?? start, adapter, port: port || "80", policy };
  return startServer({
    command: command.map((part) => part.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)),
    ...{ url, signal, timeout: timeout * 1000 },
    health: protocols["llama-cpp"].health,
    log: join(run, "server/server.log"),
    mark: join(run, "server/process.json"),
  });
}
