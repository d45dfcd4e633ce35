import { expect, test } from "@jest/globals";
import { livePage } from "../../../src/recipes/kit/live-page.ts";

test("a page is rewritten at evaluations, as often as a twentieth of the time allows, and never ends a run", async () => {
  let clock = 0;
  const written: number[] = [];
  let fails = false;
  const write = (): string => {
    written.push(clock);
    clock += 1;
    if (fails) throw new Error("the disk is full");
    return "";
  };
  const evaluated = livePage(
    async () => write,
    "run",
    {},
    () => clock,
  );
  const at = async (time: number): Promise<void> => {
    clock = time;
    await evaluated();
  };
  await at(3); // .05 x 3 s is less than the .2 s that a first page is thought to take
  await at(4);
  await at(39); // 1 s spent and 1 s to come want 40 s
  fails = true;
  await at(41);
  fails = false;
  await at(59);
  await at(60);
  expect(written).toEqual([4, 41, 60]);
});
