"""redis-py as its users have it: the write port, the read port and the kind of site are the arguments."""
import sys
import threading
import time

import redis

write_port, read_port, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
w = redis.Redis(port=write_port, decode_responses=True)
r = redis.Redis(port=read_port, decode_responses=True)
P = "py:"


def eventually(fn, want, what):
    end = time.time() + 10
    while time.time() < end:
        got = fn()
        if got == want:
            return
        time.sleep(0.01)
    raise SystemExit(f"{what}: {got!r}, expected {want!r}")


def refused(fn, what):
    try:
        fn()
    except redis.exceptions.ReadOnlyError:
        return
    raise SystemExit(f"{what} was not refused")


assert r.ping()
w.set(P + "s", "value", ex=1000)
eventually(lambda: r.get(P + "s"), "value", "GET")
assert 900 < r.ttl(P + "s") <= 1000
w.hset(P + "h", mapping={"a": "1", "b": "2"})
eventually(lambda: r.hgetall(P + "h"), {"a": "1", "b": "2"}, "HGETALL")
w.rpush(P + "l", *range(100))
eventually(lambda: r.lrange(P + "l", 0, -1), [str(i) for i in range(100)], "LRANGE")
w.sadd(P + "set", "x", "y")
eventually(lambda: r.smembers(P + "set"), {"x", "y"}, "SMEMBERS")
w.zadd(P + "z", {"a": 1.5, "b": -2})
eventually(lambda: r.zrange(P + "z", 0, -1, withscores=True), [("b", -2.0), ("a", 1.5)], "ZRANGE")
w.xadd(P + "x", {"f": "v"}, id="1-1")
eventually(lambda: r.xrange(P + "x"), [("1-1", {"f": "v"})], "XRANGE")
w.geoadd(P + "g", (13.361389, 38.115556, "Palermo"))
eventually(lambda: len(r.geosearch(P + "g", longitude=13, latitude=38, radius=200, unit="km")), 1, "GEOSEARCH")
w.pfadd(P + "hll", "a", "b", "c")
eventually(lambda: r.pfcount(P + "hll"), 3, "PFCOUNT")
w.setbit(P + "bits", 7, 1)
eventually(lambda: r.bitcount(P + "bits"), 1, "BITCOUNT")

# A pipeline in MULTI, one without, and an optimistic transaction.
with w.pipeline() as p:
    p.set(P + "n", 1).incr(P + "n").expire(P + "n", 100)
    assert p.execute() == [True, 2, True]
with r.pipeline(transaction=False) as p:
    for _ in range(1000):
        p.get(P + "s")
    assert p.execute() == ["value"] * 1000
with w.pipeline() as p:
    p.watch(P + "n")
    n = int(p.get(P + "n"))
    p.multi()
    p.set(P + "n", n + 1)
    assert p.execute() == [True]

# Iterators and scripts.
w.mset({f"{P}scan:{i}": i for i in range(500)})
eventually(lambda: len(set(r.scan_iter(match=P + "scan:*", count=50))), 500, "SCAN")
script = r.register_script("return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}")
assert script(keys=[P + "s"], args=["x"]) == [P + "s", "x", "value"]

# Pub/sub, in a thread as redis-py runs it.
got = []
ps = r.pubsub(ignore_subscribe_messages=True)
ps.subscribe(**{P + "ch": lambda m: got.append(m["data"])})
ps.psubscribe(**{P + "p*": lambda m: got.append(m["data"])})
thread = ps.run_in_thread(sleep_time=0.01, daemon=True)
time.sleep(0.2)
w.publish(P + "ch", "one")
w.publish(P + "pattern", "two")
eventually(lambda: sorted(got), ["one", "two"], "messages")
thread.stop()

# What operators ask.
info = r.info()
assert info["redis_version"].startswith("7."), info["redis_version"]
assert info["role"] == ("slave" if kind == "replica" else "master")
assert r.info("everything")["used_memory"] > 0
assert isinstance(r.config_get("*")["maxmemory"], str)
assert any(c["id"] == str(r.client_id()) for c in r.client_list()) or r.client_list()
assert r.memory_usage(P + "s") > 0 and r.memory_stats()["keys.count"] > 0
assert r.slowlog_get() is not None and r.command_count() > 200 and "get" in r.command()
assert r.object("encoding", P + "s") == "embstr"
assert r.role()[0] == ("slave" if kind == "replica" else "master")
assert r.time()[0] > 0
if kind == "replica":
    refused(lambda: r.set("a", "b"), "a write to the replica")
    refused(lambda: r.eval("return redis.call('SET', 'a', 'b')", 0), "a script that writes")
    assert r.readonly() and r.execute_command("READWRITE")
else:
    # Blocking commands and a lock.
    t = threading.Timer(0.1, lambda: w.rpush(P + "queue", "job"))
    t.start()
    assert redis.Redis(port=write_port, decode_responses=True).blpop(P + "queue", 5) == (P + "queue", "job")
    with w.lock(P + "lock", timeout=5):
        assert r.exists(P + "lock")
    assert not r.exists(P + "lock")
    w.xgroup_create(P + "x", "group", id="0")
    assert w.xreadgroup("group", "me", {P + "x": ">"})[0][1][0][0] == "1-1"
    assert w.xack(P + "x", "group", "1-1") == 1
print("all is well")
