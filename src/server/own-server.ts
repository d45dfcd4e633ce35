import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { atExit } from "../system/at-exit.ts";
import { UserError } from "../system/errors.ts";
import { makeFolder } from "../system/make-folder.ts";
import { identityOf, lifeOf, type ProcessIdentity } from "../system/process-identity.ts";
import { serverAddress } from "./address.ts";
import { ask } from "./ask.ts";
import { RequestFailure } from "./failure.ts";

/** A server that is a child of this process, and ends with it. */
export interface OwnServer {
  /** How it ended, in words; undefined while it runs. */
  ended(): string | undefined;
  /** Ends it, and waits until it has. */
  stop(): Promise<void>;
}

export interface OwnServerOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly url: string;
  /** Path of the request that it answers once it is up. */
  readonly health: string;
  /** File to which its output is added. */
  readonly log: string;
  /** File that says which process it is, for one that outlives a killed parent. */
  readonly mark: string;
  /** Milliseconds in which it must be up. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

const patience = 5000;
const pause = 50;

/**
 * Starts a server, and waits until it is up. One that an earlier process has left there is ended first.
 * @throws UserError for a program that is not there, or that ends before it is up
 */
export async function startServer(options: OwnServerOptions): Promise<OwnServer> {
  const { command, url, health, log, mark, timeout, signal } = options;
  await endLeftOver(mark);
  await requireFree(url);
  makeFolder(dirname(log));
  const output = openSync(log, "a");
  const start = readFileSync(log).length;
  const [program = "", ...args] = command;
  // a group of its own: Ctrl-C is for this process, which ends the server when its requests have
  const child = spawn(program, args, { detached: true, stdio: ["ignore", output, output] });
  closeSync(output);
  let problem: Error | undefined;
  child.on("error", (error) => (problem = error));
  const ended = (): string | undefined => problem?.message ?? endOf(child);
  const callOff = atExit(() => void kill(child, "SIGKILL"));
  const stop = async (): Promise<void> => {
    await end(child);
    callOff();
    rmSync(mark, { force: true });
  };
  try {
    if (child.pid !== undefined) writeFileSync(mark, JSON.stringify(identityOf(child.pid)));
    await whenUp({ url, health, timeout, signal, ended });
    return { ended, stop };
  } catch (error) {
    await stop();
    if (!(error instanceof RequestFailure)) throw error;
    const said = readFileSync(log, "utf8").slice(start).trim().split("\n").slice(-5).join("\n  ");
    throw new UserError("command-failed", `the server did not start: ${error.message}\n  ${said}`, {
      where: command.join(" "),
      fix: `Its whole output is in ${log}.`,
    });
  }
}

type Awaited = Pick<OwnServerOptions, "url" | "health" | "timeout" | "signal"> & Pick<OwnServer, "ended">;

async function whenUp({ url, health, timeout, signal, ended }: Awaited): Promise<void> {
  const address = serverAddress(url, "the server");
  const limit = performance.now() + timeout;
  for (;;) {
    signal?.throwIfAborted();
    const over = ended();
    if (over !== undefined) throw new RequestFailure(over);
    try {
      await ask(address, { path: health, timeout: patience, mostBytes: 100_000, signal });
      return;
    } catch (error) {
      if (!(error instanceof RequestFailure) || performance.now() > limit) throw error;
    }
    await sleep(pause);
  }
}

/** @throws UserError where another server is: it would answer in this one's place */
async function requireFree(url: string): Promise<void> {
  const { hostname, port, protocol } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) || (protocol === "https:" ? 443 : 80) });
  const taken = await new Promise<boolean>((settle) => {
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
    socket.setTimeout(patience, () => settle(false));
  });
  socket.destroy();
  if (!taken) return;
  throw new UserError("conflicting-options", "another server is there already", {
    where: url,
    fix: "Leave the address out, for a free port, or end that server.",
  });
}

function endOf({ exitCode, signalCode }: ChildProcess): string | undefined {
  if (signalCode !== null) return `it was ended by ${signalCode}`;
  return exitCode === null ? undefined : `it ended with exit code ${exitCode}`;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || endOf(child) !== undefined) return;
  const over = new Promise<void>((settle) => child.once("exit", () => settle()));
  kill(child, "SIGTERM");
  const timer = setTimeout(() => kill(child, "SIGKILL"), patience);
  await over;
  clearTimeout(timer);
}

function kill({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch {
    // it has just ended
  }
}

/** Ends a server whose parent was killed. */
async function endLeftOver(mark: string): Promise<void> {
  if (!existsSync(mark)) return;
  let left: ProcessIdentity | undefined;
  try {
    left = JSON.parse(readFileSync(mark, "utf8")) as ProcessIdentity;
  } catch {
    // not written to its end: the process was killed before its server was up
  }
  const runs = (): boolean => left !== undefined && left.birth !== "" && lifeOf(left) === "running" && isHere(left);
  if (runs()) process.kill(left!.pid, "SIGKILL");
  for (let waited = 0; runs() && waited < patience; waited += pause) await sleep(pause);
  rmSync(mark, { force: true });
}

const isHere = ({ host, pid }: ProcessIdentity): boolean => host === identityOf(pid).host;

/** A port of this machine that no program listens at. */
export function freePort(): Promise<number> {
  return new Promise((settle, fail) => {
    const probe = createServer();
    probe.on("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => settle(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
