// One session of a node-redis application, in RESP2 and RESP3: prints what it got as JSON.
import { createRequire } from "node:module";
const [port, folder] = [Number(process.argv[2]), process.argv[3]];
const { createClient } = createRequire(folder + "/")("redis");
const seen = {};
for (const RESP of [2, 3]) {
  const client = await createClient({ socket: { port }, RESP }).connect();
  const other = await client.duplicate().connect();
  const found = (seen[`resp${RESP}`] = {});
  const name = `nr${RESP}`;
  found.set = await client.set(`${name}:key`, "value", { EX: 100 });
  found.get = await client.get(`${name}:key`);
  await client.hSet(`${name}:hash`, { name: "Ada", year: "1843" });
  found.hash = await client.hGetAll(`${name}:hash`);
  await client.zAdd(`${name}:zset`, [{ score: 1.5, value: "a" }, { score: 2, value: "b" }]);
  found.zset = await client.zRangeWithScores(`${name}:zset`, 0, -1);
  found.members = (await client.sAdd(`${name}:set`, ["x", "y"])) && [...(await client.sMembers(`${name}:set`))].sort();
  found.transaction = await client.multi().set(`${name}:n`, "1").incr(`${name}:n`).exec();
  const popped = other.blPop(`${name}:queue`, 10);
  await client.rPush(`${name}:queue`, "job");
  found.popped = { ...(await popped) };
  const message = new Promise((resolve) => other.subscribe(`${name}:news`, resolve));
  while ((await client.publish(`${name}:news`, "hello")) === 0);
  found.message = await message;
  found.error = await client.lPush(`${name}:key`, "x").catch((error) => error.message);
  client.destroy();
  other.destroy();
}
console.log(JSON.stringify(seen));
