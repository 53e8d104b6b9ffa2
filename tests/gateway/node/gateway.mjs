// The official SDK, unmodified: it knows the gateway by its base URL and a virtual key alone.
import OpenAI from "openai";

export const ASK = [{ role: "user", content: "What is the weather in Paris?" }];
export const ONCE = { headers: { "x-dragoman-retries": "0" } };

export function client(options = {}) {
  const { DRAGOMAN_BASE_URL: baseURL, DRAGOMAN_KEY: apiKey } = process.env;
  return new OpenAI({ baseURL, apiKey, maxRetries: 0, ...options });
}

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export function textOf(chunks) {
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
}
