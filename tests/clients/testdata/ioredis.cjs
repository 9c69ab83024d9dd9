// ioredis as its users have it: the write port, the read port and the kind of site are the arguments.
const assert = require("node:assert");
const { Redis } = require("ioredis");

const [writePort, readPort, kind] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const P = "io:";

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

async function main() {
  const w = new Redis(writePort);
  const r = new Redis(readPort);
  assert.equal(await r.ping(), "PONG");
  await w.set(P + "s", "value", "EX", 1000);
  await eventually(() => r.get(P + "s"), "value", "GET");
  await w.hset(P + "h", { a: "1", b: "2" });
  await eventually(() => r.hgetall(P + "h"), { a: "1", b: "2" }, "HGETALL");
  await w.zadd(P + "z", 1.5, "a", -2, "b");
  await eventually(() => r.zrange(P + "z", 0, -1, "WITHSCORES"), ["b", "-2", "a", "1.5"], "ZRANGE");
  await w.xadd(P + "x", "1-1", "f", "v");
  await eventually(() => r.xrange(P + "x", "-", "+"), [["1-1", ["f", "v"]]], "XRANGE");
  await w.rpush(P + "l", ...Array.from({ length: 100 }, (_, i) => i));
  await eventually(() => r.llen(P + "l"), 100, "LLEN");
  const binary = Buffer.from([0, 255, 13, 10, 128]);
  await w.set(P + "binary", binary);
  await eventually(() => r.getBuffer(P + "binary"), binary, "binary value");

  const replies = await w.multi().set(P + "n", 1).incr(P + "n").get(P + "n").exec();
  assert.deepStrictEqual(replies, [[null, "OK"], [null, 2], [null, "2"]]);
  const pipeline = r.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.get(P + "s");
  assert((await pipeline.exec()).every(([err, v]) => err === null && v === "value"));
  const many = await Promise.all(Array.from({ length: 500 }, () => r.get(P + "s")));
  assert(many.every((v) => v === "value"));
  r.defineCommand("both", { numberOfKeys: 1, lua: "return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}" });
  assert.deepStrictEqual(await r.both(P + "s", "x"), [P + "s", "x", "value"]);

  await w.mset(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${P}scan:${i}`, i])));
  await eventually(async () => {
    const seen = new Set();
    for await (const keys of r.scanStream({ match: P + "scan:*", count: 50 })) keys.forEach((k) => seen.add(k));
    return seen.size;
  }, 300, "scanStream");

  const sub = new Redis(readPort);
  const got = [];
  sub.on("message", (_, m) => got.push(m));
  sub.on("pmessage", (_p, _c, m) => got.push(m));
  await sub.subscribe(P + "ch");
  await sub.psubscribe(P + "p*");
  await w.publish(P + "ch", "one");
  await w.publish(P + "pattern", "two");
  await eventually(async () => [...got].sort(), ["one", "two"], "messages");
  await sub.quit();

  // Reads from a replica, as drivers that prefer them set it up.
  const scaled = new Redis(readPort, { readOnly: true, db: 0, connectionName: "scaled", enableAutoPipelining: true });
  if (kind === "replica") {
    assert.equal(await scaled.get(P + "s"), "value");
    await assert.rejects(r.set("a", "b"), /READONLY/);
    assert.equal((await r.role())[0], "slave");
    assert.match(await r.info("replication"), /role:slave/);
  } else {
    // redis-server without cluster mode refuses READONLY on a master, and so does this one.
    await assert.rejects(r.readonly(), /cluster support disabled/);
    const blocking = new Redis(writePort);
    const popped = blocking.blpop(P + "queue", 5);
    setTimeout(() => w.rpush(P + "queue", "job"), 50);
    assert.deepStrictEqual(await popped, [P + "queue", "job"]);
    await blocking.quit();
  }
  scaled.disconnect();
  await Promise.all([w.quit(), r.quit()]);
  console.log("all is well");
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
