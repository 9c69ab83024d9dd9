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
