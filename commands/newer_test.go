package commands

import (
	"strings"
	"testing"
)

// Commands that redis-server 7.0 does not know, so that no differential case can hold them: what redis-server 8.4 (DELIFEQ: Valkey 9) answers.
func TestNewerCommands(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	for _, step := range []struct{ cmd, want string }{
		{"SET k hello IFEQ nothing", "$-1"},
		{"SET k hello IFNE nothing", "+OK"},
		{"SET k world IFEQ hello", "+OK"},
		{"SET k x IFEQ hello GET", "$5|world"},
		{"SET k x IFEQ world NX", "$-1"},
		{"SET k x NX IFEQ world", "-ERR syntax error"},
		{"SET k world IFEQ world EX 100", "+OK"},
		{"TTL k", ":100"},
		{"DIGEST k", "$16|d6476c25083d69be"},
		{"SET k again IFDEQ 0000000000000000", "$-1"},
		{"SET k again IFDNE 0000000000000000", "+OK"},
		{"SET k again IFDEQ 00", "-ERR must be exactly 16 hexadecimal characters"},
		{"DIGEST missing", "$-1"},
		{"DELEX k IFEQ other", ":0"},
		{"DELEX k IFXX other", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"},
		{"DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command"},
		{"DELEX k IFEQ again", ":1"},
		{"DELEX k", ":0"},
		{"SET k v", "+OK"},
		{"DELIFEQ k w", ":0"},
		{"DELIFEQ k v", ":1"},
		{"RPUSH l a", ":1"},
		{"DELIFEQ l a", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"DELEX l IFEQ a", "-ERR Key should be of string type if conditions are specified"},
		{"DELEX l", ":1"},
		{"MSETEX 2 a 1 b 2 EX 50", ":1"},
		{"TTL b", ":50"},
		{"MSETEX 2 b 3 c 4 NX", ":0"},
		{"MSETEX 2 a 5 b 6 XX KEEPTTL", ":1"},
		{"TTL a", ":50"},
		{"MGET a b c", "*3|$1|5|$1|6|$-1"},
		{"MSETEX 2 a 1 b", "-ERR wrong number of key-value pairs"},
		{"MSETEX 0 a 1", "-ERR invalid numkeys value"},
		{"MSETEX 1 a 1 GET", "-ERR syntax error"},

		// The bits of a, b and c are those of 0x61, 0x62 and 0x63; the first source is longer or shorter than the others.
		{"MSET ba abcdefghij bb bcc", "+OK"},
		{"BITOP DIFF d ba", "-ERR BITOP DIFF must be called with at least two source keys."},
		{"BITOP diff1 d ba", "-ERR BITOP DIFF1 must be called with at least two source keys."},
		{"BITOP andor d ba", "-ERR BITOP ANDOR must be called with at least two source keys."},
		{"BITOP NOT d ba bb", "-ERR BITOP NOT must be called with a single source key."},
		{"BITOP NAND d ba bb", "-ERR syntax error"},
		{"BITOP DIFF d ba bb", ":10"},
		{"GET d", "$10|\x01\x00\x00defghij"},
		{"BITOP DIFF d bb ba", ":10"},
		{"GET d", "$10|\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"BITOP DIFF1 d ba bb", ":10"},
		{"GET d", "$10|\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"BITOP ANDOR d ba bb nothing", ":10"},
		{"GET d", "$10|\x60bc\x00\x00\x00\x00\x00\x00\x00"},
		{"BITOP ONE d ba bb", ":10"},
		{"GET d", "$10|\x03\x01\x00defghij"},
		{"BITOP ONE d ba", ":10"},
		{"GET d", "$10|abcdefghij"},
		{"BITOP ONE ba ba ba", ":10"},
		{"GET ba", "$10|\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"BITOP ONE d bb bb bb", ":3"}, // in three sources is not in one
		{"GET d", "$3|\x00\x00\x00"},
		{"BITOP DIFF d nothing nothing", ":0"},
		{"EXISTS d", ":0"},

		{"XADD x 1-1 f v", "$3|1-1"},
		{"XADD x 2-1 f v", "$3|2-1"},
		{"XADD x 3-1 f v", "$3|3-1"},
		{"XGROUP CREATE x g 0", "+OK"},
		{"XGROUP CREATE x h 0", "+OK"},
		{"XREADGROUP GROUP g c COUNT 2 STREAMS x >", ""},
		{"XREADGROUP GROUP h c COUNT 1 STREAMS x >", ""},
		// 1-1 is pending in both groups, 2-1 in g and still to come in h, 3-1 to come in both.
		{"XDELEX x ACKED IDS 3 1-1 2-1 9-9", "*3|:2|:2|:2"},
		{"XACK x g 2-1", ":1"},
		{"XDELEX x ACKED IDS 1 2-1", "*1|:2"},
		{"XACKDEL x g ACKED IDS 1 1-1", "*1|:2"},
		{"XACKDEL x g ACKED IDS 1 1-1", "*1|:-1"},
		{"XACKDEL x h ACKED IDS 1 1-1", "*1|:1"},
		{"XDELEX x DELREF IDS 1 2-1", "*1|:1"},
		{"XLEN x", ":1"},
		{"XADD x 4-1 f v", "$3|4-1"},
		{"XREADGROUP GROUP g c STREAMS x >", ""},
		{"XDELEX x IDS 1 3-1", "*1|:1"},
		{"XPENDING x g", "*4|:2|$3|3-1|$3|4-1|*1|*2|$1|c|$1|2"},
		{"XDELEX x DELREF IDS 1 3-1", "*1|:-1"},
		{"XPENDING x g", "*4|:1|$3|4-1|$3|4-1|*1|*2|$1|c|$1|1"},
		{"XTRIM x MAXLEN 0 ACKED", ":0"},
		{"XGROUP SETID x h 4-1", "+OK"},
		{"XTRIM x MAXLEN 0 ACKED", ":0"},
		{"XACK x g 4-1", ":1"},
		{"XADD x KEEPREF MAXLEN 1 ACKED 5-1 f v", "-ERR Invalid stream ID specified as stream command argument"},
		{"XADD x MAXLEN 1 ACKED 5-1 f v", "$3|5-1"},
		{"XLEN x", ":1"},
		{"XREADGROUP GROUP g c STREAMS x >", ""},
		{"XTRIM x MINID 6 DELREF", ":1"},
		{"XPENDING x g", "*4|:0|$-1|$-1|*-1"},
		{"XDELEX missing IDS 2 1-1 2-2", "*2|:-1|:-1"},
		{"XACKDEL x missing IDS 1 1-1", "*1|:-1"},
		{"XDELEX x IDS 0 1-1", "-ERR Number of IDs must be a positive integer"},
		{"XDELEX x IDS 2 1-1", "-ERR The `numids` parameter must match the number of arguments"},
		{"XDELEX x IDS 1 a-b", "-ERR Invalid stream ID specified as stream command argument"},
		{"XDELEX x SOME IDS 1 1-1", "-ERR syntax error"},
	} {
		got := strings.TrimSuffix(strings.ReplaceAll(do(c, strings.Fields(step.cmd)...), "\r\n", "|"), "|")
		if step.want != "" && got != step.want {
			t.Errorf("%s\n  answers %s\n  want    %s", step.cmd, got, step.want)
		}
	}
	if got := string(digestText(nil, []byte("Hello world"))); got != "b6acb9d84a38ff74" { // as the documentation of DIGEST shows it
		t.Errorf("digest %s", got)
	}
	if err := s.KS.Check(); err != nil {
		t.Error(err)
	}
}
