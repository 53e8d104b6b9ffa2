import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI, { toFile } from "openai";

import { ASK, ONCE, client, collect, textOf } from "./gateway.mjs";

const openai = client();

async function caught(model, fields = {}, options = ONCE, from = openai) {
  try {
    await from.chat.completions.create({ model, messages: ASK, ...fields }, options);
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: `${model} did not fail` });
}

const STATUSES = [
  ["status-400", OpenAI.BadRequestError, 400, "invalid_value"],
  ["status-404", OpenAI.NotFoundError, 404, "model_not_found"],
  ["status-422", OpenAI.UnprocessableEntityError, 422, "unprocessable"],
  ["status-401", OpenAI.InternalServerError, 502, "upstream_auth"],
  ["status-403", OpenAI.InternalServerError, 502, "upstream_auth"],
  ["status-429", OpenAI.RateLimitError, 429, "rate_limit_exceeded"],
  ["status-500", OpenAI.InternalServerError, 502, "upstream_status"],
];

for (const [play, kind, status, code] of STATUSES) {
  for (const stream of [false, true]) {
    test(`${play} is ${kind.name}${stream ? ", streamed" : ""}`, async () => {
      const error = await caught(`up/${play}@node-${stream}`, { stream });
      assert.ok(error instanceof kind, error.constructor.name);
      assert.deepEqual([error.status, error.code], [status, code]);
      assert.match(error.requestID, /^req_/);
    });
  }
}

test("no key, a model that is not allowed, one that does not exist", async () => {
  const wrong = await caught("demo", {}, {}, client({ apiKey: "dgk_wrong" }));
  assert.ok(wrong instanceof OpenAI.AuthenticationError);
  const narrow = await caught("chain", {}, {}, client({ apiKey: process.env.DRAGOMAN_NARROW_KEY }));
  assert.ok(narrow instanceof OpenAI.PermissionDeniedError);
  assert.equal(narrow.param, "model");
  assert.equal((await caught("nothing")).code, "model_not_found");
});

test("an error before the content of a stream has its own status", async () => {
  const error = await caught("up/early-error@node", { stream: true });
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.code, "context_length_exceeded");
});

for (const [play, code] of [["late-error", "server_error"], ["reset", "upstream_cut"]]) {
  test(`${play}: an error in the midst of a stream is thrown there`, async () => {
    const asked = { model: `up/${play}@node`, messages: ASK, stream: true };
    const seen = [];
    const reading = (async () => {
      for await (const chunk of await openai.chat.completions.create(asked)) seen.push(chunk);
    })();
    await assert.rejects(reading, (error) => error instanceof OpenAI.APIError && error.code === code);
    assert.equal(textOf(seen), "Hel");
  });
}

test("the SDK's own timeout", async () => {
  const error = await caught("up/stall@node-sdk", {}, { timeout: 600 });
  assert.ok(error instanceof OpenAI.APIConnectionTimeoutError);
});

test("a deadline of the request", async () => {
  const error = await caught("up/stall@node-deadline", {}, { headers: { "x-dragoman-deadline-ms": "300" } });
  assert.deepEqual([error.status, error.code], [504, "deadline_exceeded"]);
});

test("the gateway's retries are not doubled", async () => {
  const options = { headers: { "x-dragoman-retries": "1" }, maxRetries: 2 };
  const error = await caught("up/status-500@node-retried", {}, options);
  assert.equal(error.headers.get("x-should-retry"), "false");
  assert.equal(error.headers.get("x-dragoman-attempts"), "2");
});

test("leaving a stream, and leaving before there is one", async () => {
  const stream = await openai.chat.completions.create({ model: "up/drip@node", messages: ASK, stream: true });
  const seen = [];
  for await (const chunk of stream) {
    seen.push(chunk);
    if (seen.length === 3) stream.controller.abort();
  }
  assert.ok(seen.length >= 3);
  const leaving = new AbortController();
  const asking = caught("up/stall@node-left", {}, { signal: leaving.signal });
  setTimeout(() => leaving.abort(), 500);
  assert.ok((await asking) instanceof OpenAI.APIUserAbortError);
});

test("a file is uploaded as it is", async () => {
  const file = await toFile(Buffer.from('{"custom_id": "1"}\n'), "a.jsonl");
  const options = { headers: { "x-dragoman-deployment": "up" } };
  assert.equal((await openai.files.create({ file, purpose: "batch" }, options)).id, "file-1");
  const heard = await openai.audio.transcriptions.create({ model: "up/transcribe@node", file });
  assert.equal(heard.text, "multipart/form-data");
});

test("a streamed response of the responses API", async () => {
  const events = await collect(await openai.responses.create({ model: "up/respond@node", input: "Hi.", stream: true }));
  assert.equal(events.at(-1).type, "response.completed");
  assert.equal(events.at(-1).response.usage.total_tokens, 12);
});
