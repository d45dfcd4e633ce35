import { afterAll } from "@jest/globals";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { describeEngine } from "./conformance.ts";

describeEngine("cpu", async () => void (await useEngine("cpu")));
afterAll(releaseEngine);
