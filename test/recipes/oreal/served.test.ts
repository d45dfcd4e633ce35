import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FakeServer, fakeServer, status } from "../../server/fake-server.ts";
import { FakeVllm } from "../../server/fake-vllm.ts";
import { runHere, startHere } from "../run-here.ts";
import { linesOf, smallSolver } from "../small-run.ts";
import { orealResults, writeOreal } from "./small-run.ts";

let base: string;
let vllm: FakeVllm;
let server: FakeServer;
beforeAll(() => void (base = mkdtempSync(join(tmpdir(), "tokensift-served-"))));
afterAll(() => rmSync(base, { recursive: true }));
beforeEach(async () => {
  vllm = new FakeVllm(smallSolver);
  server = await fakeServer((asked) => vllm.answer(asked));
});
afterEach(() => server.close());

const write = (name: string, changes: object = {}, others: Record<string, object> = {}): string =>
  writeOreal(join(base, name), {
    data: { cache: join(base, "cache"), ...others["data"] },
    objective: { preset: "reinforce", weights: { source: "none" } },
    sampling: { server: { url: server.url, weights: "lora", retryPause: 0.001, concurrency: 3, ...changes } },
    training: { iterations: 2, policyFreeze: undefined, evaluateEvery: undefined, ...others["training"] },
    policy: others["policy"] ?? { learningRate: 1e-2, adapter: { rank: 2, dropout: 0.1 } },
    top: { rewardModel: undefined, compare: [] },
  });
const short = {
  data: { validation: undefined, validationLimit: undefined },
  training: { iterations: 1, saveEvery: 0 },
};
const run = (config: string, ...flags: string[]) => runHere("oreal", config, ...flags);
const answersIn = (name: string): string => join(base, name, "out/server/answers");
const metricsIn = (name: string): Record<string, number>[] =>
  readFileSync(join(base, name, "out/metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

describe("an OREAL run at a server", () => {
  test("goes on after the server and the process were gone, with nothing asked twice and to the same bytes", async () => {
    const whole = await run(write("whole"));
    expect([whole.code, whole.code === 0 ? "" : whole.stderr]).toEqual([0, ""]);
    expect(vllm.completions).toBe(2 * 20); // iterations, and 5 questions x 4 samples
    const digests = server.asked
      .filter(({ path }) => path === "/v1/load_lora_adapter")
      .map(({ body }) => body["lora_name"]);
    expect(digests).toEqual([0, 1].map((n) => expect.stringMatching(`^policy-00000${n}-[0-9a-f]{6}$`) as unknown));
    expect(metricsIn("whole")).toMatchObject(
      Array.from({ length: 2 }, () => ({ responses: 20, lost: 0, fromText: 0, misspelled: 0 })),
    );
    for (const { mismatch, mismatchMost } of metricsIn("whole"))
      expect(mismatch! > 0 && mismatchMost! > mismatch!).toBe(true);

    // gone after 7 answers of the second iteration
    vllm.completions = 0;
    vllm.patience = 27;
    const config = write("broken");
    const broken = await run(config);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(`The server ${server.url}/ is gone: `);
    expect(broken.stderr).toMatch(/ 7 of 20 responses of this round are kept\. Continue with --resume\.\n$/);
    expect(linesOf(join(answersIn("broken"), "policy-000001.jsonl"))).toBe(1 + 7);

    // Ctrl-C while requests are under way
    vllm.patience = Infinity;
    let held = 0;
    vllm.twist = (answer) => (++held > 4 ? (response) => void response.write(" ") : answer);
    const stopped = startHere("oreal", config, "--resume");
    while (linesOf(join(answersIn("broken"), "policy-000001.jsonl")) < 1 + 11) await new Promise(setImmediate);
    const before = performance.now();
    stopped.stop("SIGINT");
    expect([(await stopped.ended).code, performance.now() - before < 3000]).toEqual([130, true]);

    // a killed process may have torn the last line, and not have come to save its state: then the first iteration is done again
    vllm.twist = (answer) => answer;
    rmSync(join(base, "broken/out/checkpoints"), { recursive: true });
    appendFileSync(join(answersIn("broken"), "policy-000001.jsonl"), '{"question": 3, "sam');
    const asked = vllm.completions;
    const resumed = await run(config, "--resume");
    expect([resumed.code, resumed.code === 0 ? "" : resumed.stderr]).toEqual([0, ""]);
    expect(vllm.completions - asked).toBe(20 - 11);
    expect(orealResults(join(base, "broken/out"))).toEqual(orealResults(join(base, "whole/out")));
    expect(readdirSync(join(base, "broken/out/server/policy"))).toEqual(["policy-000001"]);
  });

  test("drops a response that never comes, counts it, and does not ask for it again", async () => {
    vllm.twist = (answer, { body }) => (Number(body["seed"]) % 7 === 0 ? status(500) : answer);
    const config = write("lost", {}, short);
    const { code, stderr } = await run(config);
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const [{ lost, responses, wrong, correct, unparsable, timeout }] = metricsIn("lost") as [Record<string, number>];
    expect(lost).toBeGreaterThan(0);
    expect(responses! + lost!).toBe(20);
    expect(wrong! + correct! + unparsable! + timeout!).toBeCloseTo(1, 12); // shares of those that came
    expect(stderr).toMatch(`did not give ${lost} of 20 responses`);
    const stored = readFileSync(join(answersIn("lost"), "policy-000000.jsonl"), "utf8");
    expect(stored.match(/"lost":"it answers 500"/g)).toHaveLength(lost!);
  });

  test("takes no answer of another policy", async () => {
    vllm.twist = (answer) => ({ ...answer, model: "policy-000000-other" });
    const { code, stderr } = await run(write("other", {}, short));
    expect(code).toBe(2);
    expect(stderr).toMatch(/"policy-000000-[0-9a-f]{6}" was asked, and "policy-000000-other" has answered/);
  });

  test("forgets answers to other weights", async () => {
    const config = write("changed", {}, short);
    expect((await run(config)).code).toBe(0);
    const path = join(answersIn("changed"), "policy-000000.jsonl");
    writeFileSync(path, readFileSync(path, "utf8").replace(/"policy":"[^"]*"/, '"policy":"of other weights"'));
    rmSync(join(base, "changed/out/summary.json"));
    rmSync(join(base, "changed/out/metrics.jsonl"));
    const before = vllm.completions;
    expect((await run(config, "--resume")).code).toBe(0);
    expect(vllm.completions - before).toBe(20);
    expect(existsSync(path)).toBe(true);
  });

  test("says all that is wrong with its settings", async () => {
    const config = write("settings", { url: "nowhere", weights: "restart", protocol: "vllm" }, { policy: {} });
    const { code, stderr } = await run(config);
    expect(code).toBe(2);
    for (const [key, words] of [
      ["url", "must be an address"],
      ["weights", "cannot be restart without an adapter"],
      ["protocol", "is not used: weights is restart"],
      ["command", "must have {adapter} and {port} and {policy}"],
      ["gguf", "is missing"],
    ])
      expect(stderr).toMatch(new RegExp(`sampling.server.${key}.*${words!.replaceAll(/[{}]/g, "\\$&")}`));
  });
});
