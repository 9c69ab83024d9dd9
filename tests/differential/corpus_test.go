package differential

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"testing"
)

// corpus holds the shapes of scripts that applications send: each is called several times over the same keys.
var corpus = []struct {
	name, script string
	keys, args   []string
	calls        int
}{
	{"fixed-window rate limiter", `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
if n > tonumber(ARGV[2]) then return {0, n} end
return {1, n}`, []string{"rl:1"}, []string{"100", "3"}, 5},
	{"release a lock", `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end`,
		[]string{"lock"}, []string{"token"}, 2},
	{"take a lock", `if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end return 0`,
		[]string{"lock"}, []string{"token", "100000"}, 2},
	{"compare and set", `local v = redis.call('GET', KEYS[1])
if v == false or v == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return {ok='SWAPPED'} end
return redis.error_reply('CONFLICT value is ' .. v)`, []string{"cas"}, []string{"a", "b"}, 3},
	{"cjson document", `local doc = cjson.decode(redis.call('GET', KEYS[1]) or '{"hits":0,"tags":[]}')
doc.hits = doc.hits + 1
table.insert(doc.tags, ARGV[1])
redis.call('SET', KEYS[1], cjson.encode(doc.tags))
redis.call('SET', KEYS[1] .. ':n', doc.hits)
redis.call('DEL', KEYS[1])
return {doc.hits, #doc.tags, doc.tags[1]}`, []string{"doc"}, []string{"t"}, 3},
	{"token bucket", `local rate, cap, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('MGET', KEYS[1], KEYS[2])
local tokens, at = tonumber(t[1] or cap), tonumber(t[2] or now)
tokens = math.min(cap, tokens + math.max(0, now - at) * rate)
local ok = tokens >= 1
if ok then tokens = tokens - 1 end
redis.call('SETEX', KEYS[1], 100, tokens)
redis.call('SETEX', KEYS[2], 100, now)
return {ok and 1 or 0, tostring(tokens)}`, []string{"tb", "tb:at"}, []string{"0.3", "2", "1000"}, 4},
	{"parse and format", `local out = {}
for k, v in string.gmatch(ARGV[1], '(%w+)=(%w+)') do out[#out + 1] = string.format('%s:%05.1f', k, tonumber(v) or -1) end
table.sort(out)
return table.concat(out, '|')`, nil, []string{"b=2,a=1,c=x"}, 1},
	{"error inside pcall", `local ok, err = pcall(redis.call, 'INCR', KEYS[1])
if not ok then return {0, err} end
return {1, err}`, []string{"notnumber"}, nil, 2},
	{"reply of pcall", `redis.call('SET', KEYS[1], 'x')
local r = redis.pcall('INCR', KEYS[1])
if type(r) == 'table' and r.err then return redis.error_reply('WRAPPED ' .. r.err) end
return r`, []string{"notnumber"}, nil, 2},
	{"batch delete", `local n = 0
for i = 1, #KEYS, 2 do n = n + redis.call('DEL', unpack(KEYS, i, math.min(i + 1, #KEYS))) end
return n`, []string{"a", "b", "c"}, nil, 1},
	{"memoised recursion", `local memo = {}
local function fib(n) if n < 2 then return n end if memo[n] then return memo[n] end memo[n] = fib(n-1) + fib(n-2) return memo[n] end
return tostring(fib(80))`, nil, nil, 1},
	{"sliding-window rate limiter", `local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local used = redis.call('ZCARD', KEYS[1])
if used >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {0, used, tostring(oldest[2] + window - now)}
end
redis.call('ZADD', KEYS[1], now, now .. ':' .. used)
redis.call('PEXPIRE', KEYS[1], window)
return {1, used + 1, '0'}`, []string{"sw"}, []string{"100000", "60000", "2"}, 4},
	{"reentrant lock", `local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return redis.call('PTTL', KEYS[1]) > 0 and -1 or -2 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
local depth = redis.call('HINCRBY', KEYS[1], 'depth', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return depth`, []string{"relock"}, []string{"me", "100000"}, 3},
	{"move a job to the active list", `local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[2])
if not id then
  for i = 1, 3 do redis.call('LPUSH', KEYS[1], string.format('job:%03d', i)) redis.call('HMSET', KEYS[3] .. i, 'name', 'n' .. i, 'attempts', 0) end
  return nil
end
local n = tonumber(string.match(id, '%d+'))
redis.call('HINCRBY', KEYS[3] .. n, 'attempts', 1)
local job = redis.call('HGETALL', KEYS[3] .. n)
local fields = {}
for i = 1, #job, 2 do fields[job[i]] = job[i + 1] end
return {id, fields.name, fields.attempts, #job}`, []string{"wait", "active", "job:"}, nil, 5},
	{"delayed jobs that are due", `if redis.call('ZCARD', KEYS[1]) == 0 then for i = 1, 6 do redis.call('ZADD', KEYS[1], i * 1000, cjson.encode({id = i})) end end
local due = redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[1], 'LIMIT', 0, ARGV[2])
local ids = {}
for i, raw in ipairs(due) do
  if redis.call('ZREM', KEYS[1], raw) == 1 then ids[#ids + 1] = cjson.decode(raw).id redis.call('LPUSH', KEYS[2], raw) end
end
return {#due, ids, redis.call('LLEN', KEYS[2])}`, []string{"delayed", "ready"}, []string{"4500", "3"}, 3},
	{"leaderboard with neighbours", `for i = 1, 9 do redis.call('ZADD', KEYS[1], 'NX', i * 10, 'p' .. i) end
redis.call('ZINCRBY', KEYS[1], ARGV[2], ARGV[1])
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
local list = redis.call('ZREVRANGE', KEYS[1], math.max(0, rank - 1), rank + 1, 'WITHSCORES')
local out = {}
for i = 1, #list, 2 do table.insert(out, list[i] .. '=' .. tostring(list[i + 1] * 1)) end
return {rank + 1, table.concat(out, ','), #out}`, []string{"board"}, []string{"p3", "25.5"}, 3},
	{"stock in many places", `local left, want, taken = {}, tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do left[i] = tonumber(redis.call('GET', key) or i * 2) end
for i = #left, 1, -1 do
  local n = math.min(left[i], want)
  left[i], want, taken[#taken + 1] = left[i] - n, want - n, n
  redis.call('SET', KEYS[i], left[i])
end
if want > 0 then return redis.error_reply('SHORT of ' .. want) end
return taken`, []string{"w:1", "w:2", "w:3"}, []string{"5"}, 4},
	{"paged scan and count by prefix", `for i = 1, 20 do redis.call('HSET', KEYS[1], (i % 3) .. ':' .. i, i) end
local cursor, groups = '0', {}
repeat
  local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', 7)
  cursor = page[1]
  for i = 1, #page[2], 2 do local g = page[2][i]:sub(1, 1) groups[g] = (groups[g] or 0) + page[2][i + 1] end
until cursor == '0'
return {groups['0'], groups['1'], groups['2']}`, []string{"grouped"}, nil, 2},
	{"unique visitors and a bitmap", `local id = tonumber(ARGV[1])
local seen = redis.call('SETBIT', KEYS[1], id, 1)
redis.call('PFADD', KEYS[2], ARGV[1], ARGV[2])
return {seen, redis.call('BITCOUNT', KEYS[1]), redis.call('PFCOUNT', KEYS[2]), bit.tohex(bit.bxor(id, 0xff), 4)}`, []string{"bm", "pf"}, []string{"77", "x"}, 2},
	{"cmsgpack round trip", `local v = cmsgpack.unpack(cmsgpack.pack({1, 'two', {3, true}}))
return {v[1], v[2], v[3][1], v[3][2]}`, nil, nil, 1},
}

// TestScriptCorpus runs the corpus against both servers by EVAL and EVALSHA in turn, in both
// protocols, and compares the replies.
func TestScriptCorpus(t *testing.T) {
	p := newPair(t)
	for _, proto := range []int{2, 3} {
		if err := p.reset(); err != nil {
			t.Fatal(err)
		}
		l, err := p.open(proto)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range corpus {
			cmd := append([]string{"EVAL", c.script, strconv.Itoa(len(c.keys))}, append(append([]string{}, c.keys...), c.args...)...)
			sum := sha1.Sum([]byte(c.script))
			for i := range c.calls {
				if i%2 == 1 {
					cmd[0], cmd[1] = "EVALSHA", hex.EncodeToString(sum[:])
				}
				a, err := l.redis.Do(cmd...)
				if err != nil {
					t.Fatal(err)
				}
				b, err := l.ours.Do(cmd...)
				if err != nil {
					t.Fatal(err)
				}
				if !same(a, b) {
					t.Errorf("%s, RESP%d, call %d: redis %v, ours %v", c.name, proto, i+1, a, b)
				}
			}
		}
	}
}
