import { afterEach, expect, test } from "@jest/globals";
import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { get, request } from "node:http";
import { join } from "node:path";
import { watchRun, type Watching } from "../../src/report/watch/watch-run.ts";
import { userError } from "../user-error.ts";
import { emptyFolder, writeArm } from "./run-fixture.ts";

let [folder, watching]: [string, Watching | undefined] = ["", undefined];
afterEach(async () => {
  await watching?.close();
  watching = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function watched(): Promise<Watching> {
  folder = emptyFolder();
  writeArm(folder, { method: "sstoken" });
  writeFileSync(join(folder, "run.json"), JSON.stringify({ format: "tokensift run", version: 1 }));
  return (watching = await watchRun(folder, { every: 5 }));
}

interface Answer {
  status: number;
  policy: string;
  body: string;
}

function ask(url: string, options: { method?: string; host?: string; path?: string } = {}): Promise<Answer> {
  const { method = "GET", host, path } = options;
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, ...(path && { path }), ...(host && { headers: { host } }) }, (response) => {
      let body = "";
      response.on("data", (part: Buffer) => (body += part.toString()));
      const policy = String(response.headers["content-security-policy"]);
      response.on("end", () => resolve({ status: response.statusCode!, policy, body }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** States as a reader is told of them. */
function reader(url: string) {
  const states: { page: string | null; arms: object[] }[] = [];
  const asked = get(`${url}events`, (response) => {
    let rest = "";
    response.on("error", () => undefined); // the server closes
    response.on("data", (part: Buffer) => {
      const whole = (rest + part.toString()).split("\n\n");
      rest = whole.pop()!;
      states.push(...whole.map((event) => JSON.parse(event.slice("data: ".length)) as (typeof states)[number]));
    });
  });
  asked.on("error", () => undefined);
  return states;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("readers are told of each step and each page, as they come", async () => {
  const { url } = await watched();
  const readers = Array.from({ length: 10 }, () => reader(url));
  await until(() => readers.every((states) => states.length > 0));
  const main = { name: "main arm", step: 4, loss: 0.5, tokensPerSecond: 15 };
  expect(readers.map(([first]) => first)).toEqual(readers.map(() => ({ page: null, arms: [main] })));
  expect((await ask(`${url}report.html`)).status).toBe(404);

  mkdirSync(join(folder, "full"));
  writeArm(join(folder, "full"), { method: "full", steps: 2 });
  writeFileSync(join(folder, "report.html"), "<p>first</p>");
  await until(() => readers.every((states) => states.at(-1)!.page !== null && states.at(-1)!.arms.length === 2));
  expect((await ask(`${url}report.html`)).body).toBe("<p>first</p>");

  const before = readers[0]!.at(-1)!.page;
  for (let step = 5; step <= 54; step++)
    appendFileSync(join(folder, "metrics.jsonl"), `${JSON.stringify({ step, loss: 1 / step })}\n`);
  appendFileSync(join(folder, "metrics.jsonl"), '{"step": 55, "lo'); // not whole yet
  writeFileSync(join(folder, "report.html"), "<p>and the second</p>");
  const last = { ...main, step: 54, loss: 1 / 54 };
  await until(() => readers.every((states) => JSON.stringify(states.at(-1)!.arms[0]) === JSON.stringify(last)));
  await until(() => readers[0]!.at(-1)!.page !== before);
});

test("of 50 steps a second ten readers, one of whom does not read, are told in order, and of the last", async () => {
  const { url } = await watched();
  const asleep = get(`${url}events`, (response) => response.pause());
  asleep.on("error", () => undefined);
  const readers = Array.from({ length: 10 }, () => reader(url));
  await until(() => readers.every((states) => states.length > 0));
  for (let step = 5; step <= 54; step++) {
    appendFileSync(join(folder, "metrics.jsonl"), `${JSON.stringify({ step, loss: 1 / step })}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const stepsOf = (states: ReturnType<typeof reader>) =>
    states.map(({ arms: [main] }) => (main as { step: number }).step);
  await until(() => readers.every((states) => stepsOf(states).at(-1) === 54));
  for (const states of readers) {
    const steps = stepsOf(states);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    expect(steps.length).toBeGreaterThan(5); // looked at every 5 ms, where the machine is not busy
  }
});

test("nothing is served but the page, to nobody else, for reading", async () => {
  const { url } = await watched();
  const { port } = new URL(url);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  const shell = await ask(url);
  expect(shell.status).toBe(200);
  const nonce = /script-src 'nonce-([^']+)'/.exec(shell.policy)![1]!;
  expect(shell.body.match(/<script[^>]*>/g)).toEqual([`<script nonce="${nonce}">`]);
  expect(shell.policy).toContain("default-src 'none'");
  const paths = [
    "/config.yaml",
    "/../config.yaml",
    "/report.html/..",
    "/report.html?x",
    "//report.html",
    "/%2e%2e/run.json",
  ];
  for (const path of paths) expect((await ask(url, { path })).status).toBe(404);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) expect((await ask(url, { method })).status).toBe(405);
  expect((await ask(url, { host: `evil.example:${port}` })).status).toBe(403);
  expect((await ask(url, { host: `localhost:${port}` })).status).toBe(200);
});

test("a page that cannot be looked at is none, and a log's line without a step tells nothing", async () => {
  const { url } = await watched();
  symlinkSync("report.html", join(folder, "report.html"));
  expect((await ask(`${url}report.html`)).status).toBe(404);
  rmSync(join(folder, "report.html"));

  const states = reader(url);
  await until(() => states.length > 0);
  for (const line of ['{"loss":1}', '{"step":1e999,"loss":1}']) {
    appendFileSync(join(folder, "metrics.jsonl"), `${line}\n`);
    await until(() => states.at(-1)!.arms.length === 0);
    appendFileSync(join(folder, "metrics.jsonl"), '{"step":9,"loss":1}\n');
    await until(() => states.at(-1)!.arms.length === 1);
  }
});

test("a folder without a run, and a port in use, are named", async () => {
  const { url } = await watched();
  await expect(watchRun(join(folder, "nowhere"))).rejects.toThrow(userError("no-run", "nowhere"));
  const port = Number(new URL(url).port);
  await expect(watchRun(folder, { port })).rejects.toThrow(userError("invalid-option", String(port)));
});
