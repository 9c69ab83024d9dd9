// node-redis as its users have it, with RESP2 and RESP3: the write port, the read port and the kind of site are the arguments.
const assert = require("node:assert");
const { createClient } = require("redis");

const [writePort, readPort, kind] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const plain = (v) => JSON.parse(JSON.stringify(v));

async function eventually(fn, want, what) {
  let got;
  for (const end = Date.now() + 10000; Date.now() < end; ) {
    got = await fn();
    try {
      assert.deepStrictEqual(got, want);
      return;
    } catch {
      await new Promise((done) => setTimeout(done, 10));
    }
  }
  throw new Error(`${what}: ${JSON.stringify(got)}, expected ${JSON.stringify(want)}`);
}

async function play(RESP) {
  const P = `node${RESP}:`;
  const open = (port, more) => createClient({ socket: { port }, RESP, ...more }).on("error", (err) => { throw err; }).connect();
  const w = await open(writePort);
  const r = await open(readPort);
  assert.equal(await r.ping(), "PONG");
  await w.set(P + "s", "value", { EX: 1000 });
  await eventually(() => r.get(P + "s"), "value", "GET");
  await w.hSet(P + "h", { a: "1", b: "2" });
  await eventually(async () => plain(await r.hGetAll(P + "h")), { a: "1", b: "2" }, "HGETALL");
  await w.zAdd(P + "z", [{ score: 1.5, value: "a" }, { score: -2, value: "b" }]);
  await eventually(async () => plain(await r.zRangeWithScores(P + "z", 0, -1)), [{ value: "b", score: -2 }, { value: "a", score: 1.5 }], "ZRANGE");
  await w.sAdd(P + "set", ["x", "y"]);
  await eventually(async () => [...(await r.sMembers(P + "set"))].sort(), ["x", "y"], "SMEMBERS");
  await w.xAdd(P + "x", "1-1", { f: "v" });
  await eventually(async () => plain(await r.xRange(P + "x", "-", "+"))[0].message, { f: "v" }, "XRANGE");
  assert.deepStrictEqual(plain(await w.multi().set(P + "n", "1").incr(P + "n").get(P + "n").exec()), ["OK", 2, "2"]);
  const many = await Promise.all(Array.from({ length: 1000 }, () => r.get(P + "s")));
  assert(many.every((v) => v === "value"));
  assert.deepStrictEqual(plain(await r.eval("return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}", { keys: [P + "s"], arguments: ["x"] })), [P + "s", "x", "value"]);
  await w.mSet(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${P}scan:${i}`, String(i)])));
  await eventually(async () => {
    const seen = new Set();
    for await (const keys of r.scanIterator({ MATCH: P + "scan:*", COUNT: 50 })) [keys].flat().forEach((k) => seen.add(k));
    return seen.size;
  }, 300, "scanIterator");

  const sub = await open(readPort);
  const got = [];
  await sub.subscribe(P + "ch", (m) => got.push(m));
  await sub.pSubscribe(P + "p*", (m) => got.push(m));
  await w.publish(P + "ch", "one");
  await w.publish(P + "pattern", "two");
  await eventually(async () => [...got].sort(), ["one", "two"], "messages");
  sub.destroy();

  if (RESP === 3) {
    // Client-side caching: what another client writes becomes invalid here.
    const cached = await open(readPort, { clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: "LRU" } });
    assert.equal(await cached.get(P + "s"), "value");
    assert.equal(await cached.get(P + "s"), "value");
    await w.set(P + "s", "other");
    await eventually(() => cached.get(P + "s"), "other", "a cached value");
    cached.destroy();
  }
  if (kind === "replica") {
    await assert.rejects(r.set("a", "b"), /READONLY/);
    assert.equal((await r.role()).role, "slave");
  }
  assert.match(await r.info(), /redis_version:7\./);
  assert((await r.clientList()).length > 0);
  w.destroy();
  r.destroy();
}

(async () => {
  await play(2);
  await play(3);
  console.log("all is well");
})().catch((err) => {
  console.error(err);
  process.exit(1);
});
