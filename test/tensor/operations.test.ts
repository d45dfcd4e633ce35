import * as tf from "@tensorflow/tfjs-core";
import { describeAgainstPyTorch } from "./conformance.ts";

describeAgainstPyTorch("plain definitions on TensorFlow.js' cpu backend", () => tf.setBackend("cpu"));
