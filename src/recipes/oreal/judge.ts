import { createHash } from "node:crypto";
import { openKeptLines } from "../../data/kept-lines.ts";
import type { JudgeAsking } from "../../reward/rewards/judge.ts";
import { serverAddress } from "../../server/address.ts";
import { serverClient } from "../../server/client.ts";
import { RequestFailure } from "../../server/failure.ts";
import { protocols } from "../../server/protocols/index.ts";
import { stopRequests } from "../../server/stop-requests.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { Outage } from "../../system/outage.ts";

/** Where a judge is, as the reward's option `server` says. */
export interface JudgeServer {
  readonly url: string;
  readonly model: string;
  readonly maxNewTokens?: number;
  /** In seconds. */
  readonly timeout?: number;
  /** In seconds. */
  readonly retryPause?: number;
  readonly keyVariable?: string;
}

export interface JudgeOpening {
  /** Where its replies are kept. */
  readonly replies: string;
  /** Whether the person has asked to stop: requests end at once then. */
  readonly interrupted: () => boolean;
  readonly note: (sentence: string) => void;
}

interface Reply {
  /** Digest of the prompt. */
  readonly prompt: string;
  readonly reply: string;
}

/**
 * Asks a judge at a server. Each reply is on the disk before it is used, and no prompt is asked twice.
 * @throws UserError for what is no address, or a damaged file; when it is asked, Outage where the server is gone,
 *   Interrupted where the person asks to stop, UserError where the server gives no reply
 */
export function openJudge(
  { url, model, maxNewTokens = 256, timeout = 600, retryPause = 0.5, keyVariable }: JudgeServer,
  { replies: path, interrupted, note }: JudgeOpening,
): JudgeAsking & { close(): void } {
  const address = serverAddress(url, "rewards.server.url", keyVariable);
  const about = { format: "tokensift judgements", model, maxNewTokens };
  const kept = openKeptLines<Reply>(path, about, {
    of: (value) =>
      isRecord(value) && typeof value["prompt"] === "string" && typeof value["reply"] === "string"
        ? (value as unknown as Reply)
        : undefined,
    noun: "a reply of the judge",
    fix: "Delete the file: the judge is asked again.",
  });
  const replies = new Map(kept.earlier.map(({ prompt, reply }) => [prompt, Promise.resolve(reply)]));
  const asked = async (content: string, digest: string): Promise<string> => {
    using requests = stopRequests(interrupted, "Stopped while the judge was asked.");
    const options = {
      timeout: timeout * 1000,
      patience: { tries: 6, pause: retryPause * 1000 },
      signal: requests.signal,
    };
    const client = serverClient(address, protocols.openai, options);
    try {
      const messages = [{ role: "user", content }] as const;
      const { text } = await client.chat({ model, messages, maxNewTokens, temperature: 0 });
      kept.add({ prompt: digest, reply: text });
      return text;
    } catch (error) {
      replies.delete(digest);
      if (!(error instanceof RequestFailure)) throw error;
      await client.requireUp(error).catch((outage: unknown) => {
        throw outage instanceof Outage ? new Outage(`${outage.message} Continue with --resume.`) : outage;
      });
      throw new UserError("reward-failed", `The judge gives no reply: ${error.message}.`, {
        where: client.url,
        fix: "Continue with --resume: what it has judged is kept.",
      });
    }
  };
  return {
    ask(content) {
      const digest = createHash("sha256").update(content).digest("hex");
      const reply = replies.get(digest) ?? asked(content, digest);
      replies.set(digest, reply);
      return reply;
    },
    note,
    close: kept.close,
  };
}
