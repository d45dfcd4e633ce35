import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

/** Makes TensorFlow.js' own cpu backend current: plain JavaScript, the reference for every engine. */
export async function usePlainBackend(): Promise<void> {
  tf.enableProdMode(); // no advice to install another backend
  await tf.setBackend("cpu");
}
