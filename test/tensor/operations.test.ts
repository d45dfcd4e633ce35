import { usePlainBackend } from "./backend.ts";
import { describeAgainstPyTorch } from "./conformance.ts";

describeAgainstPyTorch("plain definitions on TensorFlow.js' cpu backend", usePlainBackend);
