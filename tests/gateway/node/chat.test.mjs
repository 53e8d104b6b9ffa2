import assert from "node:assert/strict";
import { test } from "node:test";

import { ASK, client, collect, textOf } from "./gateway.mjs";

const openai = client();
const WHOLE = { model: "demo", messages: ASK };

test("a whole answer, with the headers that every answer has", async () => {
  const { data, response, request_id } = await openai.chat.completions.create(WHOLE).withResponse();
  assert.equal(data.object, "chat.completion");
  assert.ok(data.choices[0].message.content);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  assert.match(request_id, /^req_/);
  for (const name of ["provider", "model", "deployment", "attempts", "fallback-index", "overhead-ms", "snapshot"]) {
    assert.ok(response.headers.get(`x-dragoman-${name}`), name);
  }
});

test("a stream without usage", async () => {
  const chunks = await collect(await openai.chat.completions.create({ ...WHOLE, stream: true }));
  const whole = await openai.chat.completions.create(WHOLE);
  assert.equal(textOf(chunks), whole.choices[0].message.content);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
  assert.ok(chunks.every((chunk) => chunk.usage == null && chunk.choices.length === 1));
});

test("a stream with usage", async () => {
  const asked = { ...WHOLE, stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await openai.chat.completions.create(asked));
  const whole = await openai.chat.completions.create(WHOLE);
  assert.deepEqual(chunks.at(-1).usage, whole.usage);
  assert.deepEqual(chunks.at(-1).choices, []);
});

test("the stream helper", async () => {
  const runner = openai.chat.completions.stream(WHOLE);
  let said = "";
  runner.on("content", (delta) => (said += delta));
  assert.equal(await runner.finalContent(), said);
  assert.ok(said);
});

test("many at once", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => openai.chat.completions.create(WHOLE)));
  assert.equal(new Set(answers.map((answer) => answer.choices[0].message.content)).size, 1);
});

test("several choices", async () => {
  const { choices } = await openai.chat.completions.create({ ...WHOLE, n: 3 });
  assert.deepEqual(choices.map((choice) => choice.index), [0, 1, 2]);
});

test("legacy completions", async () => {
  const asked = { model: "demo", prompt: "Once upon a time", max_tokens: 20 };
  const whole = await openai.completions.create(asked);
  const chunks = await collect(await openai.completions.create({ ...asked, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(""), whole.choices[0].text);
});

test("embeddings, packed by default and as numbers", async () => {
  const asked = { model: "rehearsal/embedding", input: ["one", "two", "one"] };
  const packed = await openai.embeddings.create(asked);
  const plain = await openai.embeddings.create({ ...asked, encoding_format: "float" });
  assert.deepEqual(packed.data.map((item) => item.index), [0, 1, 2]);
  assert.deepEqual(packed.data[0].embedding, packed.data[2].embedding);
  packed.data.forEach(({ embedding }, place) => {
    assert.equal(embedding.length, plain.data[place].embedding.length);
    embedding.forEach((value, at) => assert.ok(Math.abs(value - plain.data[place].embedding[at]) < 1e-6));
  });
});

test("models", async () => {
  const listed = await collect(await openai.models.list());
  assert.deepEqual(listed.slice(0, 2).map((model) => model.id), ["demo", "chain"]);
  assert.equal((await openai.models.retrieve("up/gpt-4o-mini")).id, "up/gpt-4o-mini");
  const narrow = client({ apiKey: process.env.DRAGOMAN_NARROW_KEY });
  assert.deepEqual((await collect(await narrow.models.list())).map((model) => model.id), ["demo"]);
});
