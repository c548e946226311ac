// A worker for Node with an ordinary Redis client: BLPOP claims a job, GET reads it, SET ends it.
// usage: node plain_worker.mjs TOPIC [redis://host:port | /path/to.sock]; needs the package ioredis.
// The connection that claimed a job holds it: when this program dies, the server gives the job back.
import Redis from "ioredis";

const [topic, where = "redis://127.0.0.1:6379"] = process.argv.slice(2);
// A request is not sent again on a new connection: the job that it was about went back with the old one.
const redis = new Redis(where, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });

async function work(job) {
  await new Promise((done) => setTimeout(done, Number(process.env.WORK_MS ?? 0))); // stands in for the work
  return { length: job.params.length };
}

async function workOnNext() {
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

redis.on("error", (error) => console.error(`not connected: ${error.message}`)); // it connects again by itself
for (;;) {
  try {
    await workOnNext();
  } catch (error) {
    console.error(`trying again: ${error.message}`); // the connection broke, or the job was taken away
    await new Promise((done) => setTimeout(done, 500));
  }
}
