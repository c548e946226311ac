// BullMQ: jobs in bulk, 100 at a time, none kept. The command line is that of tally.py.
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.BENCH_NODE_MODULES + "/");
const { Queue, Worker } = require("bullmq");
const BATCH = 500;
const now = () => process.hrtime.bigint();

const [command, address, ...rest] = process.argv.slice(2);
const { hostname, port } = new URL(address);
const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
const options = { removeOnComplete: true, removeOnFail: true };

async function create(count) {
  const queue = new Queue("bench", { connection });
  await queue.add("noop", {}, options);
  const begin = now();
  for (let start = 0; start < count; start += BATCH) {
    const size = Math.min(BATCH, count - start);
    await queue.addBulk(Array.from({ length: size }, () => ({ name: "noop", data: {}, opts: options })));
  }
  console.log(`{"begin": ${begin}, "end": ${now()}}`);
  await queue.close();
}

function work(marks, wanted) {
  const numbers = new Set(wanted.map(Number));
  let count = 0;
  new Worker("bench", async () => {
    count += 1;
    if (numbers.has(count)) appendFileSync(marks, `${count} ${now()}\n`);
  }, { connection, concurrency: 100, removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } });
}

if (command === "create") await create(Number(rest[0]));
else work(rest[0], rest.slice(1));
