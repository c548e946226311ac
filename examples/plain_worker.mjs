// A worker for Node with an ordinary Redis client: BLPOP claims a job, GET reads it, SET ends it.
// usage: node plain_worker.mjs TOPIC [redis://host:port | /path/to.sock]; needs the package ioredis.
import Redis from "ioredis";

const [topic, where = "redis://127.0.0.1:6379"] = process.argv.slice(2);
const redis = new Redis(where);

async function work(job) {
  return { length: job.params.length };
}

for (;;) {
  const [, id] = await redis.blpop(`heroqueue:${topic}`, 0);
  const key = `herojobs:${topic}:${id}`;
  const job = JSON.parse(await redis.get(key));
  let outcome;
  try {
    outcome = { state: "done", result: await work(job) };
  } catch (error) {
    outcome = { state: "error", error: String(error) };
  }
  await redis.set(key, JSON.stringify(outcome));
}
